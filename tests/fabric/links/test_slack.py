import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fabric.clocks.clock import Clock
from fabric.links.slack import least_slack_ps, slack_growth_ps, tail_cycles
from specs.machine import load_machine

LINK = load_machine().link
AS_PER_S = 10**18
ppm = st.floats(-200, 200)


@given(
    vectors=st.integers(1, 400),
    sender_ppm=ppm,
    receiver_ppm=ppm,
    send_cycle=st.integers(0, 10**6),
    latency_ps=st.integers(200_000, 300_000),
    wait_cycles=st.integers(150, 400),
)
def test_the_least_slack_of_a_train_is_the_least_of_all_its_vectors(
    *,
    vectors: int,
    sender_ppm: float,
    receiver_ppm: float,
    send_cycle: int,
    latency_ps: int,
    wait_cycles: int,
) -> None:
    sender = Clock.with_offset(900_000_000, sender_ppm)
    receiver = Clock.with_offset(900_000_000, receiver_ppm)
    drift_as = AS_PER_S // receiver.frequency_hz - AS_PER_S // sender.frequency_hz
    offsets = [load_machine().line.offset_cycles(i) for i in range(vectors)]
    taken = send_cycle + wait_cycles
    head = receiver.edge_ps(taken) - sender.edge_ps(send_cycle) - latency_ps
    slacks = [head + offset * drift_as // 10**6 for offset in offsets]
    least = least_slack_ps(
        np.array([head]), np.array([offsets[-1]]), np.array([drift_as])
    )
    assert least.tolist() == [min(slacks)]
    # And against the crystals themselves, whose edges lie on whole picoseconds.
    true = [
        receiver.edge_ps(taken + offset) - sender.edge_ps(send_cycle + offset)
        for offset in offsets
    ]
    assert abs(least[0] - (min(true) - latency_ps)) <= 2


def test_slack_grows_where_the_receiver_is_the_slower_one() -> None:
    # 1000 cycles at one picosecond each.
    cycles, slower = np.array([1000]), np.array([1_000_000])
    assert slack_growth_ps(cycles, slower).tolist() == [1000]
    assert least_slack_ps(np.array([50]), cycles, slower).tolist() == [50]
    assert least_slack_ps(np.array([50]), cycles, -slower).tolist() == [-950]


def test_the_last_vector_follows_by_the_time_of_those_before_it() -> None:
    machine = load_machine()
    link, hz = machine.link, machine.chip.clock_hz
    vectors = np.array([1, 2, 100])
    bits = 8 * link.wire_bytes * (vectors - 1)
    exact = bits / (link.rate_gbps * 1e9) * hz
    cycles = tail_cycles(vectors, machine)
    assert cycles[0] == 0
    assert (np.abs(cycles - exact) < 1).all()

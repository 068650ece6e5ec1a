import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.cycle_time import CycleTime
from serving.pairing.lanes import LINKS, Leg, Side, run_lanes
from specs.pairing import PairingLinkSpec, PairingSpec

# A cycle is a nanosecond.
NS = CycleTime.of(1_000_000_000)
ODD = CycleTime.of(900_000_000)
INSTANT = PairingLinkSpec(ports=1, port_gbps=None, latency_ns=0)
# A byte takes a nanosecond, and another 100 to arrive.
SLOW = PairingLinkSpec(ports=1, port_gbps=8, latency_ns=100)

LEGS = st.lists(
    st.one_of(
        st.builds(
            lambda cycles, unit: Leg(Side.MACHINE, cycles, unit),
            st.integers(1, 500),
            st.integers(0, 2),
        ),
        st.builds(lambda ps: Leg(Side.DEVICES, ps), st.integers(0, 900_000)),
        st.builds(Leg, st.sampled_from(LINKS), st.integers(1, 1000)),
    ),
    min_size=1,
    max_size=12,
)


def paired(link: PairingLinkSpec = SLOW, **values: float) -> PairingSpec:
    return PairingSpec.model_validate({"link": link.model_dump(), **values})


def test_a_lane_alone_goes_from_leg_to_leg() -> None:
    legs = [
        Leg(Side.DEVICES, 5_000),
        Leg(Side.TO_MACHINE, 10),
        Leg(Side.MACHINE, 7),
        Leg(Side.TO_DEVICES, 20),
    ]
    run = run_lanes(legs, paired(), NS, lanes=1)
    # 5 ns; 10 bytes and 100 ns; 7 cycles; 20 bytes and 100 ns.
    assert run.end_ps.tolist() == [[5_000, 115_000, 122_000, 242_000]]
    assert run.busy_share(Side.MACHINE, 0, 242_000) == pytest.approx(7 / 242)
    # The way through the air occupies nothing.
    assert run.busy_share(Side.TO_DEVICES, 0, 242_000) == pytest.approx(20 / 242)


def test_two_lanes_overlap_what_one_does_in_turn() -> None:
    step = [Leg(Side.DEVICES, 10_000), Leg(Side.MACHINE, 10)]
    one = run_lanes(step * 8, paired(INSTANT), NS, lanes=1)
    two = run_lanes(step * 8, paired(INSTANT), NS, lanes=2)
    assert one.step_ps(2) == two.step_ps(2) == 20_000
    assert two.busy_share(Side.MACHINE, 20_000, 100_000) == 1
    assert one.busy_share(Side.MACHINE, 20_000, 100_000) == 0.5


def test_a_pipeline_takes_the_next_lane_before_the_first_is_done() -> None:
    run = run_lanes([Leg(Side.MACHINE, 100, pitch=10)], paired(INSTANT), NS, lanes=3)
    assert run.end_ps[:, 0].tolist() == [100_000, 110_000, 120_000]


@given(LEGS, st.integers(1, 5), st.integers(0, 3), st.sampled_from([NS, ODD]))
def test_bytes_that_are_sent_are_received(
    legs: list[Leg], lanes: int, seed: int, cycle_time: CycleTime
) -> None:
    run = run_lanes(legs, paired(jitter=0.3), cycle_time, lanes=lanes, seed=seed)
    for side in LINKS:
        asked = lanes * sum(leg.amount for leg in legs if leg.side is side)
        assert run.sent_bytes[side] == run.received_bytes[side] == asked


@given(LEGS, st.integers(1, 5), st.integers(0, 3))
def test_nothing_begins_before_what_it_needs_is_there(
    legs: list[Leg], lanes: int, seed: int
) -> None:
    run = run_lanes(legs, paired(jitter=0.3), ODD, lanes=lanes, seed=seed)
    # A cycle of an odd clock begins up to a picosecond before its rounded time.
    assert (run.start_ps[:, 1:] >= run.end_ps[:, :-1]).all()
    assert (run.start_ps >= run.ready_ps).all()
    for number, leg in enumerate(legs):
        if leg.side in LINKS:
            arrived = run.end_ps[:, number] - run.start_ps[:, number]
            assert (arrived >= SLOW.latency_ps + 1000 * leg.amount).all()


@given(LEGS, st.integers(1, 5), st.integers(0, 3))
def test_a_side_does_one_thing_at_a_time(
    legs: list[Leg], lanes: int, seed: int
) -> None:
    run = run_lanes(legs, paired(jitter=0.3), ODD, lanes=lanes, seed=seed)
    keys = np.array([4 * leg.unit + leg.side for leg in legs])
    for key in set(keys.tolist()):
        start = run.start_ps[:, keys == key].ravel()
        free = run.free_ps[:, keys == key].ravel()
        order = np.lexsort((free, start))
        assert (start[order][1:] >= free[order][:-1]).all()


@given(LEGS, st.integers(1, 4))
def test_devices_jitter_and_chips_do_not(legs: list[Leg], lanes: int) -> None:
    runs = [
        run_lanes(legs, paired(jitter=0.3), NS, lanes=lanes, seed=seed)
        for seed in (1, 2)
    ]
    for run in runs:
        lasted = run.end_ps - run.start_ps
        for number, leg in enumerate(legs):
            if leg.side is Side.MACHINE:
                # Whole cycles from the edge of a cycle on, whatever devices do.
                assert (lasted[:, number] == 1000 * leg.amount).all()
                assert (run.start_ps[:, number] % 1000 == 0).all()


def test_jitter_is_that_of_the_seed_and_its_mean_is_one() -> None:
    legs = [Leg(Side.DEVICES, 1_000_000)] * 2000
    one, same, other = (
        run_lanes(legs, paired(jitter=0.3), NS, lanes=1, seed=seed)
        for seed in (1, 1, 2)
    )
    assert np.array_equal(one.end_ps, same.end_ps)
    assert one.end_ps[0, -1] != other.end_ps[0, -1]
    assert one.end_ps[0, -1] == pytest.approx(2000 * 1_000_000, rel=0.03)


@given(st.lists(st.integers(1, 500), min_size=1, max_size=20))
@settings(max_examples=30)
def test_with_instant_devices_and_link_the_machine_runs_as_if_alone(
    cycles: list[int],
) -> None:
    legs = [
        leg
        for each in cycles
        for leg in (
            Leg(Side.DEVICES, 0),
            Leg(Side.TO_MACHINE, 10**9),
            Leg(Side.MACHINE, each),
            Leg(Side.TO_DEVICES, 10**9),
        )
    ]
    run = run_lanes(legs, paired(INSTANT, jitter=0.5), ODD, lanes=1)
    assert run.end_ps[0, -1] == ODD.ps(sum(cycles))

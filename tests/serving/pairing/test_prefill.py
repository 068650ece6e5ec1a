from collections.abc import Mapping

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from serving.cycle_time import CycleTime
from serving.frame import FrameTimes
from serving.pairing.prefill import PairedPrompts, prefill
from serving.requests.request_table import RequestTable, request_table
from serving.timetable.admission import WindowAdmission, Work
from specs.pairing import PairingSpec

CLOCK = CycleTime.of(900_000_000)
FRAME = FrameTimes(
    slots=3,
    windows=0,
    frame_cycles=100,
    window_cycles=0,
    pass_cycles=0,
    behind_windows=0,
    first_slot_cycles=0,
    slot_cycles=30,
    token_cycles=80,
)
LINK = {"ports": 1, "port_gbps": 8, "latency_ns": 5}
INSTANT = {"ports": 1, "port_gbps": None, "latency_ns": 0}
ASKED = st.lists(
    st.tuples(st.integers(0, 400_000), st.integers(1, 40), st.integers(1, 6)),
    min_size=1,
    max_size=12,
)


def table(rows: list[tuple[int, int, int]]) -> RequestTable:
    return request_table(*map(np.array, zip(*sorted(rows), strict=True)))


def served(
    requests: RequestTable,
    link: Mapping[str, int | None],
    ps_per_token: int,
    *,
    jitter: float = 0.0,
    seed: int = 1,
) -> PairedPrompts:
    pairing = PairingSpec.model_validate({"link": link, "jitter": jitter})
    return prefill(
        requests,
        pairing,
        FRAME,
        CLOCK,
        prompt_ps=lambda tokens: tokens * ps_per_token,
        bytes_per_token=2,
        seed=seed,
    )


def test_a_prompt_is_computed_crosses_and_decodes() -> None:
    done = served(table([(10_000, 10, 3)]), LINK, 1_000)
    # 10 positions of a nanosecond each; 20 bytes of a nanosecond each, and 5 more.
    assert done.computed_ps.tolist() == [20_000]
    assert done.crossed_ps.tolist() == [45_000]
    # 45 ns are 40.5 cycles. Turns of slot 0 start at 41, 141, ...; two of them.
    assert done.turn_cycle.tolist() == [41]
    assert done.end_cycle.tolist() == [41 + 100 + 80]


@given(ASKED, st.integers(1, 3))
def test_caches_arrive_whole_before_their_first_turn(
    rows: list[tuple[int, int, int]], seed: int
) -> None:
    requests = table(rows)
    done = served(requests, LINK, 1_000, jitter=0.3, seed=seed)
    assert np.array_equal(done.sent_bytes, 2 * requests.prompt_tokens)
    assert np.array_equal(done.received_bytes, done.sent_bytes)
    assert (done.computed_ps >= requests.arrival_ps + done.device_ps).all()
    assert (done.crossed_ps >= done.computed_ps + done.link_ps + 5_000).all()
    assert (CLOCK.ps(done.turn_cycle) >= done.crossed_ps).all()
    # One prompt at a time on the devices, one cache at a time on the link.
    assert (np.diff(done.computed_ps) >= done.device_ps[1:]).all()
    assert (np.diff(done.crossed_ps) >= done.link_ps[1:]).all()


@given(ASKED)
def test_jitter_moves_prompts_but_turns_stay_on_the_grid_while_there_are_any(
    rows: list[tuple[int, int, int]],
) -> None:
    requests = table(rows)
    for seed in (1, 2):
        done = served(requests, LINK, 1_000, jitter=0.3, seed=seed)
        begin = idle = 0
        for turn, end, here in zip(
            done.turn_cycle.tolist(),
            done.end_cycle.tolist(),
            CLOCK.first_cycle(done.crossed_ps).tolist(),
            strict=True,
        ):
            begin = here if here >= idle else begin
            assert (turn - begin) % 100 in {0, 30, 60}
            idle = max(idle, end)


@given(ASKED)
def test_with_instant_devices_and_link_requests_decode_as_without_a_pairing(
    rows: list[tuple[int, int, int]],
) -> None:
    requests = table(rows)
    done = served(requests, INSTANT, 0, jitter=0.3)
    alone = WindowAdmission(FRAME).place(
        Work(CLOCK.first_cycle(at), 0, turns)
        for at, turns in zip(
            requests.arrival_ps.tolist(), requests.turns.tolist(), strict=True
        )
    )
    assert done.turn_cycle.tolist() == [each.turn_cycle for each in alone]

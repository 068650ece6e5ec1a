"""Laws of queues that a timetable must obey, with lengths that make them exact."""

from collections.abc import Callable

import numpy as np
import pytest

from serving.events.engine import serve_by_events
from serving.fleet.fleet import Fleet
from serving.frame import Pace, Policy, frame_times
from serving.requests.arrivals import drawn_arrivals
from serving.requests.request_table import RequestTable, request_table
from serving.results.served import Served
from serving.timetable.engine import serve
from tests.serving.round_times import round_frame, round_times


def constant(
    count: int, arrival_ps: np.ndarray, prompt: int, output: int
) -> RequestTable:
    one = np.ones(count, dtype=np.int64)
    return request_table(arrival_ps, prompt * one, output * one)


@pytest.mark.parametrize("policy", [Policy.WINDOWS, Policy.SLOTS])
@pytest.mark.parametrize("rate_per_s", [1e4, 1e6, 1e8])
def test_the_time_per_token_is_the_frame_to_the_cycle_whatever_the_load(
    policy: Policy, rate_per_s: float
) -> None:
    windows = 2 if policy is Policy.WINDOWS else 0
    fleet = Fleet(
        times=round_times(), frame=round_frame(policy=policy, windows=windows)
    )
    arrivals = drawn_arrivals(
        "gamma",
        500,
        rate_per_s=rate_per_s,
        burstiness=0.3,
        random=np.random.default_rng(1),
    )
    served = serve(fleet, constant(500, arrivals, 20, 12))
    frame = frame_times(fleet.times, fleet.frame).frame_cycles
    assert set(served.end_cycle - served.second_cycle) == {10 * frame}


@pytest.mark.parametrize("engine", [serve, serve_by_events])
@pytest.mark.parametrize("policy", Policy)
def test_p99_is_p50_of_all_latencies_without_load(
    policy: Policy, engine: Callable[[Fleet, RequestTable], Served]
) -> None:
    windows = 2 if policy is Policy.WINDOWS else 0
    fleet = Fleet(
        times=round_times(), frame=round_frame(policy=policy, windows=windows)
    )
    # Each arrives some time after the answer before it, at any point of a frame.
    gaps = np.random.default_rng(1).integers(6_000_000, 8_000_000, 60)
    served = engine(fleet, constant(60, np.cumsum(gaps), 20, 12))
    for column in (served.admitted_cycle, served.chosen_cycle, served.end_cycle):
        took = column - served.ready_cycle
        # The first prompt finds its program on the chips if they alternate.
        assert len(set(took[1:].tolist())) == 1


@pytest.mark.parametrize(
    ("prompt", "output", "per_frame"),
    [
        # Five chunks of 8 in two windows a frame: 2/5 of a request a frame.
        (40, 1, 2 / 5),
        # One chunk, then 59 turns. The slot is taken at the window at 0, the prompt
        # ends 300 later, in the next frame; its turns take that and 58 more.
        (8, 60, 2 / 60),
    ],
)
def test_a_saturated_fleet_serves_what_the_closed_form_says(
    prompt: int, output: int, per_frame: float
) -> None:
    fleet = Fleet(times=round_times(), frame=round_frame())
    count = 600
    requests = constant(count, np.zeros(count, dtype=np.int64), prompt, output)
    ends = np.sort(serve(fleet, requests).end_cycle)
    frame = frame_times(fleet.times, fleet.frame).frame_cycles
    served = (count - 101) / (ends[-1] - ends[100]) * frame
    assert served == pytest.approx(per_frame, rel=0.01)


def test_a_full_frame_of_prompts_is_an_m_d_1_queue() -> None:
    # Slots of a cycle never run out; a prompt of 50 chunks takes 50 windows.
    times = round_times(
        slots=200,
        slot_cycles=[1],
        period_cycles=[200],
        token_cycles=[200],
        window_cycles=[1000],
        chunk_tokens=1,
        context_tokens=[60],
    )
    frame = round_frame(
        slots=200, windows=1, chunk_tokens=1, context_tokens=60, pace=Pace.CHUNK
    )
    fleet = Fleet(times=times, frame=frame)
    frame_ns = frame_times(times, frame).frame_cycles
    service_ns, load = 50 * frame_ns, 0.7
    waits = []
    for seed in range(20):
        arrivals = drawn_arrivals(
            "poisson",
            4000,
            rate_per_s=load / service_ns * 1e9,
            burstiness=1,
            random=np.random.default_rng(seed),
        )
        served = serve(fleet, constant(4000, arrivals, 50, 1))
        waits.append((served.admitted_cycle - served.ready_cycle)[500:].mean())
    # Pollaczek and Khinchine: frames begin with the request that finds none.
    expected = load * service_ns / (2 * (1 - load))
    error = np.std(waits, ddof=1) / np.sqrt(len(waits))
    assert abs(np.mean(waits) - expected) < 3 * error
    assert error < 0.05 * expected

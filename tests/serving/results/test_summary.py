import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.fleet.fleet import Fleet
from serving.frame import Policy, frame_times
from serving.requests.request_table import RequestTable, request_table
from serving.results.records import request_records
from serving.results.slo import Slo
from serving.results.summary import (
    load,
    most_at_once,
    slot_cycles,
    token_gaps_ms,
    traffic_summary,
)
from serving.timetable.engine import serve
from tests.serving.round_times import round_frame, round_times

FLEET = Fleet(times=round_times(), frame=round_frame())


def arriving(arrivals: list[int], prompt: int, output: int) -> RequestTable:
    one = np.ones(len(arrivals), dtype=np.int64)
    return request_table(np.array(arrivals), prompt * one, output * one)


def test_a_summary_has_the_measures_of_the_field() -> None:
    # Frames begin at 42 ns with the first request; the second one, at 242 ns, waits for
    # the window at 342 ns.
    requests = arriving([0, 200_000, 300_000], 8, 3)
    requests.prompt_tokens[2] = 200
    served = serve(FLEET, requests)
    records = request_records(FLEET, requests, served, model="m", slo=Slo(ttft_ms=1))
    assert records["outcome"].tolist() == ["completed", "completed", "too_long"]
    assert records["ttft_ps"].tolist()[:2] == [342_000 + 14_000, 456_000]
    assert records["queue_ps"].tolist() == [0, 100_000, -1]
    facts = traffic_summary(FLEET, requests, served, records)
    assert (facts["completed"], facts["failed"]) == (2, 1)
    assert (facts["total_input"], facts["total_output"]) == (16, 6)
    assert facts["p99_ttft_ms"] == pytest.approx(0.456e-3)
    assert facts["mean_queue_ms"] == pytest.approx(0.050e-3)
    assert facts["slo_attainment"] == pytest.approx(2 / 3)
    assert facts["max_concurrent_requests"] == 2
    assert facts["saturation"] == "STABLE"


def test_intervals_that_touch_are_not_at_once() -> None:
    assert most_at_once(np.array([0, 5, 6]), np.array([5, 9, 7])) == 2
    assert most_at_once(np.array([]), np.array([])) == 0


def test_gaps_between_tokens_are_frames_but_for_the_first() -> None:
    requests = arriving([0], 8, 5)
    gaps, weights = token_gaps_ms(FLEET, requests, serve(FLEET, requests))
    frame_ms = frame_times(FLEET.times, FLEET.frame).frame_cycles * 1e-6
    assert gaps[1] == pytest.approx(frame_ms)
    assert weights.tolist() == [1, 3]
    drafted = requests._replace(turns=np.array([2]))
    gaps, weights = token_gaps_ms(FLEET, drafted, serve(FLEET, drafted))
    assert (gaps[-1], weights.tolist()) == (0.0, [1, 1, 2])


def test_a_slot_is_held_from_the_first_pass_until_the_last_turn_has_left() -> None:
    requests = arriving([0, 0], 8, 3)
    requests.turns[1] = 0
    # The window at 0; turns at 400 and 700 take 100 each. A prompt alone: its window.
    held = slot_cycles(FLEET, requests, serve(FLEET, requests))
    assert held.tolist() == [800, 50]
    apart = Fleet(
        times=round_times(), frame=round_frame(windows=0, policy=Policy.APART)
    )
    held = slot_cycles(apart, requests, serve(apart, requests))
    assert held.tolist() == [300, 0]


def test_more_prompts_than_windows_overload_a_fleet() -> None:
    # Two windows in 300 ns and five chunks for each prompt: one in 750 ns.
    for apart, state in ((1_000, "STABLE"), (300, "OVERLOADED")):
        requests = arriving([each * apart * 1000 for each in range(40)], 40, 1)
        facts = load(FLEET, requests, serve(FLEET, requests))
        assert facts["saturation"] == state
        assert facts["offered_load"] == pytest.approx(750 / apart, rel=0.1)
    burst = arriving([0] * 30 + [10**9], 40, 1)
    burst = burst._replace(arrival_ps=np.sort(burst.arrival_ps % (10**7)))
    assert load(FLEET, burst, serve(FLEET, burst))["waiting_at_last_arrival"] > 0


@given(
    st.lists(st.integers(0, 3_000_000), min_size=1, max_size=20),
    st.integers(1, 60),
    st.integers(1, 30),
)
def test_the_area_under_the_requests_present_is_the_sum_of_their_times(
    arrivals: list[int], prompt: int, output: int
) -> None:
    # Little's law, exact: over the whole span, L = lambda W in whole picoseconds.
    requests = arriving(sorted(arrivals), prompt, output)
    served = serve(FLEET, requests)
    records = request_records(FLEET, requests, served, model="m", slo=Slo())
    moments = np.concatenate([records["arrival_ps"], records["end_ps"]])
    steps = np.repeat([1, -1], len(records))
    order = np.argsort(moments, kind="stable")
    present = np.cumsum(steps[order])[:-1]
    area = int((present * np.diff(moments[order])).sum())
    assert area == int(records["e2el_ps"].sum())

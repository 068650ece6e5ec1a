"""Busy intervals of instructions, and their lanes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from chip.program import Opcode
from experiments.run.scenario import Run
from experiments.trace.tracks import (
    BusyInterval,
    busy_intervals,
    interval_counts,
    line_name,
    on_lanes,
)


def interval(start_ps: int, end_ps: int, line: int = 0) -> BusyInterval:
    return BusyInterval(0, 0, line, "READ", start_ps, end_ps, {})


spans = st.builds(
    lambda start, length, line: interval(start, start + length, line),
    st.integers(0, 100),
    st.integers(0, 30),
    st.integers(0, 1),
)


def test_intervals_are_as_many_as_their_counts(small_run: Run) -> None:
    program = small_run.schedule.program
    counts = interval_counts(program)
    rows = np.flatnonzero(counts)
    code = program.instructions
    begin, period_ps = code.start_cycle * 1_000, np.full(len(counts), 1_000.0)
    intervals = busy_intervals(program, rows, begin, period_ps)
    found = np.bincount([each.row for each in intervals], minlength=len(counts))
    assert found.tolist() == counts.tolist()
    # At 1,000 ps a cycle.
    for each in intervals:
        assert each.start_ps == 1_000 * each.details["start_cycle"]
        cycles = each.details["duration_cycles"]
        assert each.end_ps - each.start_ps == 1_000 * cycles


def test_a_mark_takes_no_time_and_a_send_is_one_interval(small_run: Run) -> None:
    code = small_run.schedule.program.instructions
    counts = interval_counts(small_run.schedule.program)
    assert set(counts[code.opcode == Opcode.MARK]) == {0}
    assert set(counts[code.opcode == Opcode.SEND]) == {1}
    assert counts[code.opcode == Opcode.LOAD].min() > 1


def test_intervals_at_once_go_on_lanes_and_later_ones_on_the_first() -> None:
    placed = on_lanes([interval(20, 30), interval(0, 10), interval(5, 15)])
    assert [(each.start_ps, each.lane) for each in placed] == [(0, 0), (5, 1), (20, 0)]


def test_an_overlap_by_rounding_is_cut_off() -> None:
    first, second = on_lanes([interval(0, 12), interval(10, 20)])
    assert (first.end_ps, second.lane) == (10, 0)


@given(st.lists(spans, max_size=20))
def test_no_two_intervals_of_a_lane_overlap(intervals: list[BusyInterval]) -> None:
    placed = on_lanes(intervals)
    assert len(placed) == len(intervals)
    last: dict[tuple[int, int], int] = {}
    for each in placed:
        lane = each.line, each.lane
        assert last.get(lane, 0) <= each.start_ps
        last[lane] = each.end_ps


def test_lines_are_named_by_slice_and_port() -> None:
    assert line_name(1_003, 0) == "C2C out 3"
    assert line_name(2_003, 0) == "C2C in 3"
    assert line_name(0, 1) == f"{line_name(0, 0)} (2)"

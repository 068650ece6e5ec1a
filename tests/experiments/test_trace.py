from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from chip.program import Opcode
from experiments import trace
from experiments.run import Run
from experiments.trace import Window, trace_events, window_of
from specs.errors import SpecError

Event = dict[str, Any]
# A rack has 72 chips; those that hold nothing may still forward.
EVERYTHING = Window(first_chip=0, last_chip=71)


def events(run: Run, window: Window, phase: str) -> list[Event]:
    found = trace_events(run, window)["traceEvents"]
    return [event for event in found if event["ph"] == phase]


def test_every_instruction_but_marks_is_a_slice(small_run: Run) -> None:
    slices = events(small_run, EVERYTHING, "X")
    opcodes = small_run.schedule.program.instructions.opcode
    assert len(slices) == (opcodes != Opcode.MARK).sum()
    assert min(event["dur"] for event in slices) >= 0
    assert min(event["ts"] for event in slices) >= 0


def test_slices_of_one_track_do_not_overlap(small_run: Run) -> None:
    tracks: dict[tuple[int, int], list[Event]] = {}
    for event in events(small_run, EVERYTHING, "X"):
        tracks.setdefault((event["pid"], event["tid"]), []).append(event)
    for track in tracks.values():
        track.sort(key=lambda event: event["args"]["start_ps"])
        for before, after in pairwise(track):
            end_ps = before["args"]["start_ps"] + round(before["dur"] * 1e6)
            assert end_ps <= after["args"]["start_ps"]


def test_a_slice_is_as_long_as_its_instruction_takes(small_run: Run) -> None:
    period_us = 1e6 / small_run.prepared.machine.chip.clock_hz
    for event in events(small_run, EVERYTHING, "X"):
        nominal_us = event["args"]["duration_cycles"] * period_us
        assert event["dur"] == pytest.approx(nominal_us, rel=1e-4, abs=2e-6)


def test_picoseconds_are_kept_exactly(small_run: Run) -> None:
    code = small_run.schedule.program.instructions
    begin_ps = small_run.result.records[0].instruction_ps
    kept = (begin_ps - begin_ps.min())[code.opcode != Opcode.MARK]
    slices = events(small_run, EVERYTHING, "X")
    shown = [event["args"]["start_ps"] for event in slices]
    assert shown == np.sort(kept).tolist()
    assert all(event["ts"] == event["args"]["start_ps"] / 1e6 for event in slices)


def test_an_arrow_has_both_ends_and_takes_time(small_run: Run) -> None:
    starts = {event["id"]: event for event in events(small_run, EVERYTHING, "s")}
    ends = {event["id"]: event for event in events(small_run, EVERYTHING, "f")}
    trains = small_run.schedule.program.trains
    assert starts.keys() == ends.keys() == set(range(len(trains)))
    topology = small_run.prepared.topology
    for train, link in enumerate(trains.link.tolist()):
        ends_of_link = (topology.source[link], topology.target[link])
        assert (starts[train]["pid"], ends[train]["pid"]) == ends_of_link
        assert starts[train]["ts"] < ends[train]["ts"]


def test_every_track_has_a_name(small_run: Run) -> None:
    named = {
        (event["pid"], event["tid"])
        for event in events(small_run, EVERYTHING, "M")
        if event["name"] == "thread_name"
    }
    used = {
        (event["pid"], event["tid"]) for event in events(small_run, EVERYTHING, "X")
    }
    assert used <= named


def test_only_the_chips_and_the_time_asked_for_are_shown(small_run: Run) -> None:
    window = Window(first_chip=5, last_chip=7, start_us=10, end_us=20)
    everything = events(small_run, EVERYTHING, "X")
    expected = [
        event
        for event in everything
        if 5 <= event["pid"] <= 7
        and event["ts"] + event["dur"] >= 10
        and event["ts"] <= 20
    ]
    assert 0 < len(expected) < len(everything)
    assert events(small_run, window, "X") == expected
    arrows = events(small_run, window, "s")
    assert {event["id"] for event in arrows} == {
        event["id"] for event in events(small_run, window, "f")
    }
    assert {event["pid"] for event in arrows} <= {5, 6, 7}


def test_no_more_events_than_a_viewer_takes_and_the_rest_is_counted(
    small_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = events(small_run, EVERYTHING, "X")
    monkeypatch.setattr(trace, "_MOST_EVENTS", 100)
    cut = trace_events(small_run, EVERYTHING)
    slices = [event for event in cut["traceEvents"] if event["ph"] == "X"]
    assert slices == everything[:100]
    assert cut["otherData"]["events_left_out"] == len(everything) - 100


def test_a_window_is_two_ranges() -> None:
    assert window_of("0-31", "0-inf") == Window()
    assert window_of("4-4", "100-250.5") == Window(4, 4, 100.0, 250.5)


@pytest.mark.parametrize(
    ("chips", "time_us", "told"),
    [
        ("7", "0-1", "write FROM-TO"),
        ("0-1-2", "0-1", "write FROM-TO"),
        ("0-1", "-5-3", "write FROM-TO"),
        ("a-b", "0-1", "write FROM-TO"),
        ("3-2", "0-1", "FROM must lie before TO"),
        ("0-1", "5-5", "FROM must lie before TO"),
        ("0-1", "nan-nan", "FROM must lie before TO"),
    ],
)
def test_a_window_that_cannot_be_is_refused(
    chips: str, time_us: str, told: str
) -> None:
    with pytest.raises(SpecError, match=told):
        window_of(chips, time_us)

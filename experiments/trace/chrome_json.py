"""Trace in Chrome's JSON format, which Perfetto's viewer opens too.

Times are microseconds, which the viewer rounds to nanoseconds. So the start of a bar is
rounded down to a nanosecond. The arguments of each event have the picoseconds.
"""

import json
from typing import Any

from experiments.trace.trace import Arrow, Trace
from specs.units import NS_PER_US, PS_PER_NS

# Processes and threads count from 1: 0 is the idle process of an operating system.
_FIRST = 1


def chrome_json(trace: Trace) -> bytes:
    """Return the trace as JSON bytes: groups are processes, tracks are threads."""
    events = [*_names(trace), *_bars(trace)]
    events += [event for arrow in trace.arrows for event in _arrow(trace, arrow)]
    events += _counters(trace)
    document = {
        "traceEvents": events,
        "displayTimeUnit": "ns",
        "otherData": {**trace.about, "events_left_out": trace.left_out},
    }
    return json.dumps(document, separators=(",", ":")).encode()


def _names(trace: Trace) -> list[dict[str, Any]]:
    """Return the trace's metadata events: names and order of processes and threads."""
    events: list[dict[str, Any]] = []

    def add(name: str, value: str | int, place: dict[str, int]) -> None:
        key = "sort_index" if name.endswith("sort_index") else "name"
        events.append({"ph": "M", "name": name, **place, "args": {key: value}})

    for number, group in trace.groups.items():
        where = f" ({group.within})" if group.within else ""
        place = {"pid": number + _FIRST}
        add("process_name", group.name + where, place)
        add("process_sort_index", number, place)
    for track in trace.tracks:
        place = {"pid": track.group + _FIRST, "tid": track.number + _FIRST}
        add("thread_name", track.name, place)
        add("thread_sort_index", track.number, place)
    return events


def _at(trace: Trace, track: int, time_ps: int) -> dict[str, Any]:
    """Return the process, thread and time of a trace event on a track."""
    where = trace.tracks[track]
    place = {"pid": where.group + _FIRST, "tid": where.number + _FIRST}
    return {**place, "ts": _us(time_ps)}


def _us(time_ps: int) -> float:
    """Return a time of the trace in us, rounded down to a nanosecond.

    The viewer rounds starts and durations separately. With whole nanoseconds a bar does
    not overlap the next one.
    """
    return time_ps // PS_PER_NS / NS_PER_US


def _us_between(begin_ps: int, end_ps: int) -> float:
    """Return the time between two times of the trace in us, both rounded down to ns."""
    return (end_ps // PS_PER_NS - begin_ps // PS_PER_NS) / NS_PER_US


def _bars(trace: Trace) -> list[dict[str, Any]]:
    """Return a complete trace event for each bar."""
    return [
        {
            "ph": "X",
            "name": bar.name,
            "cat": bar.category,
            **_at(trace, bar.track, bar.start_ps),
            "dur": _us_between(bar.start_ps, bar.start_ps + bar.duration_ps),
            "args": bar.details,
        }
        for bar in trace.bars
    ]


def _arrow(trace: Trace, arrow: Arrow) -> list[dict[str, Any]]:
    """Return the trace's two flow events of an arrow, each bound to its bar."""
    ends = []
    for phase, index in (("s", arrow.source), ("f", arrow.target)):
        bar = trace.bars[index]
        event = {"ph": phase, "bp": "e", "id": arrow.train, "name": "train"}
        ends.append(event | {"cat": "train"} | _at(trace, bar.track, bar.start_ps))
    return ends


def _counters(trace: Trace) -> list[dict[str, Any]]:
    """Return a trace event of a counter for each sample of slack."""
    links = max(trace.groups, default=0)
    return [
        {
            "ph": "C",
            "name": f"slack of link {sample.link} (ps)",
            "pid": links + _FIRST,
            "ts": _us(sample.time_ps),
            "args": {"slack_ps": sample.slack_ps},
        }
        for sample in trace.samples
    ]

"""A trace in Chrome's JSON, which Perfetto's viewer opens too.

Its times are microseconds, of which the viewer takes whole nanoseconds: a bar begins
with the nanosecond that its first picosecond lies in. Picoseconds are kept in each
event's arguments.
"""

import json
from typing import Any

from experiments.trace.trace import Arrow, Trace
from specs.units import NS_PER_US, PS_PER_NS

# Process and thread 0 are the idle ones of an operating system.
_FIRST = 1


def chrome_json(trace: Trace) -> bytes:
    """Return `trace` in Chrome's format: tracks are threads, groups are processes."""
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
    """Return what processes and threads are called, and in which order they stand."""
    events: list[dict[str, Any]] = []

    def say(name: str, value: str | int, place: dict[str, int]) -> None:
        what = "sort_index" if name.endswith("sort_index") else "name"
        events.append({"ph": "M", "name": name, **place, "args": {what: value}})

    for number, group in trace.groups.items():
        where = f" ({group.within})" if group.within else ""
        place = {"pid": number + _FIRST}
        say("process_name", group.name + where, place)
        say("process_sort_index", number, place)
    for track in trace.tracks:
        place = {"pid": track.group + _FIRST, "tid": track.number + _FIRST}
        say("thread_name", track.name, place)
        say("thread_sort_index", track.number, place)
    return events


def _at(trace: Trace, track: int, time_ps: int) -> dict[str, Any]:
    """Return where and when something is."""
    where = trace.tracks[track]
    place = {"pid": where.group + _FIRST, "tid": where.number + _FIRST}
    return {**place, "ts": _us(time_ps)}


def _us(time_ps: int) -> float:
    """Return the microseconds up to the nanosecond that `time_ps` lies in.

    The viewer rounds beginnings and lengths each on their own; only whole nanoseconds
    keep bars that follow each other from overlapping by one.
    """
    return time_ps // PS_PER_NS / NS_PER_US


def _us_between(begin_ps: int, end_ps: int) -> float:
    return (end_ps // PS_PER_NS - begin_ps // PS_PER_NS) / NS_PER_US


def _bars(trace: Trace) -> list[dict[str, Any]]:
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
    """Return both ends of an arrow, each tied to the bar around it."""
    ends = []
    for phase, at in (("s", arrow.source), ("f", arrow.target)):
        bar = trace.bars[at]
        event = {"ph": phase, "bp": "e", "id": arrow.train, "name": "train"}
        ends.append(event | {"cat": "train"} | _at(trace, bar.track, bar.start_ps))
    return ends


def _counters(trace: Trace) -> list[dict[str, Any]]:
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

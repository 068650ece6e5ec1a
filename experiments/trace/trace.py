"""Trace of a token: bars on a track for each part of a slice and for each link.

A chip has a track for each part of its functional slices, such as reads or loads. The
track of a link shows trains on the wire. An arrow leads from a SEND or FORWARD to
its RECEIVE, and a sample is the wait of a train in the receive FIFO. `chrome_json` and
`perfetto` write a trace to a file.
"""

from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from chip.program import Opcode
from experiments.run.scenario import Run
from experiments.trace.tracks import (
    BusyInterval,
    busy_intervals,
    interval_counts,
    line_name,
    on_lanes,
)
from experiments.trace.window import Window
from fabric.results.iteration_log import NEVER
from specs.arrays import Ints
from specs.units import PPM, PS_PER_S, PS_PER_US
from topologies.topology import Level

# More events make viewers slow.
_MOST_EVENTS = 200_000
# Lanes of a line; slices do fewer things at once.
_LANES = 64
_LEAVING = (Opcode.SEND.name, Opcode.FORWARD.name)


class TrackGroup(NamedTuple):
    """Group of tracks: those of a chip, or those of all links.

    Attributes
    ----------
    name
        Name of the group.
    within
        Node of the chip, empty for links.
    """

    name: str
    within: str


class Track(NamedTuple):
    """Track of a viewer: a part of a slice of a chip, or a link.

    Attributes
    ----------
    group, number
        Its group, and its number there.
    name
        Name of the track.
    """

    group: int
    number: int
    name: str


class Bar(NamedTuple):
    """Bar on a track: something that takes time.

    Attributes
    ----------
    track
        Index of the track in the trace.
    name, category
        The operator; the slice instruction, opcode, or ``TRAIN`` on a wire.
    start_ps, duration_ps
        Time after the first chip starts the token.
    details
        Whole numbers, by a name that carries the unit.
    """

    track: int
    name: str
    category: str
    start_ps: int
    duration_ps: int
    details: dict[str, int]


class Arrow(NamedTuple):
    """Arrow from the bar of a SEND or FORWARD to that of the RECEIVE of its train."""

    train: int
    source: int
    target: int


class Sample(NamedTuple):
    """Slack of a train at its RECEIVE: the wait of its first vector in the FIFO."""

    link: int
    time_ps: int
    slack_ps: int


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Trace:
    """Trace of a token, independent of a file format.

    Parameters
    ----------
    groups
        Groups by number: a chip has its own number, the links have the next one.
    tracks
        Tracks, by group and number.
    bars
        By start, then track; bars of one track do not overlap.
    arrows
        By train.
    samples
        Slack, by time.
    left_out
        Instructions in the window that are left out since a viewer could not take them.
    about
        Model and strategy of the run.
    """

    groups: dict[int, TrackGroup]
    tracks: tuple[Track, ...]
    bars: tuple[Bar, ...]
    arrows: tuple[Arrow, ...]
    samples: tuple[Sample, ...]
    left_out: int
    about: dict[str, str]


def token_trace(run: Run, window: Window) -> Trace:
    """Return the trace of a run's first iteration in a window, cut to a size limit."""
    program = run.schedule.program
    code = program.instructions
    issued = run.result.records[0].instruction_ps
    # A chip may start before the first stage, and viewers drop negative times.
    started = issued[issued != NEVER]
    begin = issued - (started.min() if len(started) else 0)
    period_ps = _periods_ps(run)
    end = begin + code.duration_cycles * period_ps
    counts = interval_counts(program)
    shown = (
        (code.chip >= window.first_chip)
        & (code.chip <= window.last_chip)
        & (counts > 0)
        & (issued != NEVER)
        & (end >= window.start_us * PS_PER_US)
        & (begin <= window.end_us * PS_PER_US)
    )
    chosen = np.flatnonzero(shown)
    chosen = chosen[np.argsort(begin[chosen], kind="stable")]
    # A SEND also gives a bar on the wire, a RECEIVE a sample.
    events = np.cumsum(counts[chosen] + (code.train[chosen] >= 0))
    kept = chosen[events <= _MOST_EVENTS]
    links_group = run.prepared.topology.chips
    intervals = busy_intervals(program, kept, begin, period_ps)
    intervals += [
        interval._replace(
            group=links_group,
            line=int(program.trains.link[interval.details["train"]]),
            category="TRAIN",
        )
        for interval in intervals
        if interval.category in _LEAVING
    ]
    intervals = on_lanes(intervals)
    receives = kept[code.opcode[kept] == Opcode.RECEIVE]
    samples = _samples(run, receives, begin)
    groups, tracks = _tracks(run, intervals, {sample.link for sample in samples})
    place = {(track.group, track.number): index for index, track in enumerate(tracks)}
    entries = run.schedule.timeline.entries
    return Trace(
        groups=groups,
        tracks=tracks,
        bars=tuple(
            Bar(
                track=place[interval.group, _number(interval.line, interval.lane)],
                name=entries[int(code.operator[interval.row])].name,
                category=interval.category,
                start_ps=interval.start_ps,
                duration_ps=interval.end_ps - interval.start_ps,
                details=interval.details,
            )
            for interval in intervals
        ),
        arrows=_arrows(intervals),
        samples=samples,
        left_out=len(chosen) - len(kept),
        about={
            "model": run.prepared.name,
            "strategy": str(run.prepared.plan.strategy),
        },
    )


def _number(line: int, lane: int) -> int:
    """Return the number of a trace's track in its group."""
    return line * _LANES + lane


def _tracks(
    run: Run, intervals: list[BusyInterval], sampled: set[int]
) -> tuple[dict[int, TrackGroup], tuple[Track, ...]]:
    """Return the trace's tracks that have a bar or a sample, and their groups."""
    topology = run.prepared.topology
    used = {(interval.group, interval.line, interval.lane) for interval in intervals}
    used |= {(topology.chips, link, 0) for link in sampled}
    groups, tracks = {}, []
    for group, line, lane in sorted(used):
        if group < topology.chips:
            rack, node = topology.rack[group], topology.node[group]
            groups[group] = TrackGroup(f"chip {group}", f"rack {rack}, node {node}")
            name = line_name(line, lane)
        else:
            groups[group] = TrackGroup("links", "")
            ends = f"chip {topology.source[line]} to {topology.target[line]}"
            name = f"link {line}: {ends} ({Level(topology.level[line]).label})"
        tracks.append(Track(group, _number(line, lane), name))
    return groups, tuple(tracks)


def _arrows(intervals: list[BusyInterval]) -> tuple[Arrow, ...]:
    """Return the trace's arrow for each train both of whose ends are shown."""
    source, target = {}, {}
    for index, interval in enumerate(intervals):
        if interval.category in _LEAVING:
            source[interval.details["train"]] = index
        elif interval.category == Opcode.RECEIVE.name:
            target[interval.details["train"]] = index
    both = sorted(source.keys() & target.keys())
    return tuple(Arrow(train, source[train], target[train]) for train in both)


def _samples(run: Run, receives: NDArray[np.intp], begin: Ints) -> tuple[Sample, ...]:
    """Return the trace's samples of slack, of each train whose RECEIVE is shown."""
    program, record = run.schedule.program, run.result.records[0]
    train = program.instructions.train[receives]
    received = record.arrival_ps[train] != NEVER
    receives, train = receives[received], train[received]
    slack_ps = record.instruction_ps[receives] - record.arrival_ps[train]
    columns = (program.trains.link[train], begin[receives], slack_ps)
    return tuple(
        Sample(*row) for row in zip(*(c.tolist() for c in columns), strict=True)
    )


def _periods_ps(run: Run) -> NDArray[np.float64]:
    """Return the clock period of the chip of each traced instruction, in ps."""
    offset_ppm = run.result.chips.offset_ppm[run.schedule.program.instructions.chip]
    hz = run.prepared.machine.chip.clock_hz * (1 + offset_ppm / PPM)
    return np.asarray(PS_PER_S / hz, dtype=np.float64)

"""A token as a trace: what every slice and link does when, and what hangs together.

Tracks of a chip are its functional slices, down to what reads, loads and multiplies;
tracks of the links show trains on the wire. An arrow leads from a SEND to its RECEIVE,
and a counter tells how long the train lay in the receive FIFO. How it is written is
another module's business.
"""

from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from chip.program import Opcode
from experiments.run.scenario import Run
from experiments.trace.tracks import (
    Piece,
    line_name,
    on_lanes,
    piece_counts,
    pieces_of,
)
from experiments.trace.window import Window
from fabric.results.iteration_log import NEVER
from specs.arrays import Ints
from specs.units import PPM, PS_PER_S, PS_PER_US
from topologies.topology import Level

# Viewers become slow long before they fail.
_MOST_EVENTS = 200_000
# Tracks of a line, side by side; more than slices do at once.
_LANES = 64
_LEAVING = (Opcode.SEND.name, Opcode.FORWARD.name)


class TrackGroup(NamedTuple):
    """Tracks that stand together: those of a chip, or of all links.

    Attributes
    ----------
    name
        What it is called.
    within
        The node that a chip stands in, empty for links.
    """

    name: str
    within: str


class Track(NamedTuple):
    """A line of the viewer: a slice of a chip, or a link.

    Attributes
    ----------
    group, number
        The group that it stands in, and its number there.
    name
        What it is called.
    """

    group: int
    number: int
    name: str


class Bar(NamedTuple):
    """Something that takes time on a track.

    Attributes
    ----------
    track
        The track's place among the trace's.
    name, category
        What it is called: the operator; what the slice does, or ``TRAIN`` on a wire.
    start_ps, duration_ps
        Time after the first chip starts on the token.
    details
        Whole numbers worth knowing, by a name that carries the unit.
    """

    track: int
    name: str
    category: str
    start_ps: int
    duration_ps: int
    details: dict[str, int]


class Arrow(NamedTuple):
    """From a SEND or FORWARD to the RECEIVE of the same train: two bars."""

    train: int
    source: int
    target: int


class Sample(NamedTuple):
    """A train's slack when it is taken: how long its first vector lay in the FIFO."""

    link: int
    time_ps: int
    slack_ps: int


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Trace:
    """What a viewer shows.

    Parameters
    ----------
    groups
        Groups by number: a chip's is its own, that of the links comes after all chips.
    tracks
        Tracks, by group and number.
    bars
        By start, then track; bars of one track do not overlap.
    arrows
        By train.
    samples
        Slack, by time.
    left_out
        Instructions in the window beyond what a viewer can take.
    about
        What was run.
    """

    groups: dict[int, TrackGroup]
    tracks: tuple[Track, ...]
    bars: tuple[Bar, ...]
    arrows: tuple[Arrow, ...]
    samples: tuple[Sample, ...]
    left_out: int
    about: dict[str, str]


def token_trace(run: Run, window: Window) -> Trace:
    """Return the trace of a run's first iteration, cut to what a viewer can take."""
    program = run.schedule.program
    code = program.instructions
    issued = run.result.records[0].instruction_ps
    # Some chip may be a little ahead of the first stage; viewers drop negative times.
    begin = issued - issued[issued != NEVER].min()
    period_ps = _periods_ps(run)
    end = begin + code.duration_cycles * period_ps
    counts = piece_counts(program)
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
    # A train is a bar on the wire, or a sample, as well.
    events = np.cumsum(counts[chosen] + (code.train[chosen] >= 0))
    kept = chosen[events <= _MOST_EVENTS]
    links_group = run.prepared.topology.chips
    pieces = pieces_of(program, kept, begin, period_ps)
    pieces += [
        piece._replace(
            group=links_group,
            line=int(program.trains.link[piece.details["train"]]),
            category="TRAIN",
        )
        for piece in pieces
        if piece.category in _LEAVING
    ]
    pieces = on_lanes(pieces)
    receives = kept[code.opcode[kept] == Opcode.RECEIVE]
    samples = _samples(run, receives, begin)
    groups, tracks = _tracks(run, pieces, {sample.link for sample in samples})
    place = {(track.group, track.number): at for at, track in enumerate(tracks)}
    entries = run.schedule.timeline.entries
    return Trace(
        groups=groups,
        tracks=tracks,
        bars=tuple(
            Bar(
                track=place[piece.group, _number(piece.line, piece.lane)],
                name=entries[int(code.operator[piece.row])].name,
                category=piece.category,
                start_ps=piece.start_ps,
                duration_ps=piece.end_ps - piece.start_ps,
                details=piece.details,
            )
            for piece in pieces
        ),
        arrows=_arrows(pieces),
        samples=samples,
        left_out=len(chosen) - len(kept),
        about={
            "model": run.prepared.name,
            "strategy": str(run.prepared.plan.strategy),
        },
    )


def _number(line: int, lane: int) -> int:
    return line * _LANES + lane


def _tracks(
    run: Run, pieces: list[Piece], sampled: set[int]
) -> tuple[dict[int, TrackGroup], tuple[Track, ...]]:
    """Return groups of tracks and the tracks on which there is anything."""
    topology = run.prepared.topology
    used = {(piece.group, piece.line, piece.lane) for piece in pieces}
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


def _arrows(pieces: list[Piece]) -> tuple[Arrow, ...]:
    """Return an arrow for each train of which both ends are shown."""
    source, target = {}, {}
    for at, piece in enumerate(pieces):
        if piece.category in _LEAVING:
            source[piece.details["train"]] = at
        elif piece.category == Opcode.RECEIVE.name:
            target[piece.details["train"]] = at
    both = sorted(source.keys() & target.keys())
    return tuple(Arrow(train, source[train], target[train]) for train in both)


def _samples(run: Run, receives: NDArray[np.intp], begin: Ints) -> tuple[Sample, ...]:
    """Return the slack of each train whose RECEIVE is shown."""
    program, record = run.schedule.program, run.result.records[0]
    train = program.instructions.train[receives]
    came = record.arrival_ps[train] != NEVER
    receives, train = receives[came], train[came]
    slack_ps = record.instruction_ps[receives] - record.arrival_ps[train]
    columns = (program.trains.link[train], begin[receives], slack_ps)
    return tuple(
        Sample(*row) for row in zip(*(c.tolist() for c in columns), strict=True)
    )


def _periods_ps(run: Run) -> NDArray[np.float64]:
    """Return the clock period of each instruction's chip."""
    offset_ppm = run.result.chips.offset_ppm[run.schedule.program.instructions.chip]
    hz = run.prepared.machine.chip.clock_hz * (1 + offset_ppm / PPM)
    return np.asarray(PS_PER_S / hz, dtype=np.float64)

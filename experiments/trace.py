"""A token as a trace: what every slice and link does when, and what hangs together.

Tracks of a chip are its functional slices; tracks of the links show trains on the wire.
An arrow leads from a SEND to its RECEIVE, and a counter tells how long the train lay in
the receive FIFO. What is written, and how, is another module's business.
"""

from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from chip.program import Opcode, Slice
from experiments.run import Run
from experiments.trace_window import Window
from fabric.flight import NEVER
from specs.units import PPM, PS_PER_S, PS_PER_US
from topologies.topology import Level

Ints = NDArray[np.int64]

# Viewers become slow long before they fail.
_MOST_EVENTS = 200_000
# Tracks of a chip: one for each slice and port.
_PORTS = 64


class Group(NamedTuple):
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
        What it is called: the operator; the opcode, or ``TRAIN`` on a wire.
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

    groups: dict[int, Group]
    tracks: tuple[Track, ...]
    bars: tuple[Bar, ...]
    arrows: tuple[Arrow, ...]
    samples: tuple[Sample, ...]
    left_out: int
    about: dict[str, str]


def token_trace(run: Run, window: Window) -> Trace:
    """Return the trace of a run's first iteration, cut to what a viewer can take."""
    code = run.schedule.program.instructions
    issued = run.result.records[0].instruction_ps
    # Some chip may be a little ahead of the first stage; viewers drop negative times.
    begin = issued - issued[issued != NEVER].min()
    length = _lengths(run, begin)
    shown = (
        (code.chip >= window.first_chip)
        & (code.chip <= window.last_chip)
        & (code.opcode != Opcode.MARK)
        & (issued != NEVER)
        & (begin + length >= window.start_us * PS_PER_US)
        & (begin <= window.end_us * PS_PER_US)
    )
    chosen = np.flatnonzero(shown)
    chosen = chosen[np.argsort(begin[chosen], kind="stable")]
    # An instruction with a train is two: a bar, and one on the wire or a sample.
    events = np.cumsum(1 + (code.train[chosen] >= 0))
    kept = chosen[events <= _MOST_EVENTS]
    return _trace(run, kept, begin, length, left_out=len(chosen) - len(kept))


def _trace(
    run: Run, kept: NDArray[np.intp], begin: Ints, length: Ints, *, left_out: int
) -> Trace:
    program, topology = run.schedule.program, run.prepared.topology
    code, entries = program.instructions, run.schedule.timeline.entries
    links_group = topology.chips
    port = np.maximum(code.port[kept], 0).astype(np.int64)
    number = code.slice[kept].astype(np.int64) * _PORTS + port
    sends = kept[np.isin(code.opcode[kept], (Opcode.SEND, Opcode.FORWARD))]
    receives = kept[code.opcode[kept] == Opcode.RECEIVE]
    link = program.trains.link[code.train[sends]].astype(np.int64)
    seen = np.unique(program.trains.link[code.train[np.concatenate([sends, receives])]])
    groups, tracks = _tracks(run, np.unique(code.chip[kept]), seen)
    place = {(track.group, track.number): at for at, track in enumerate(tracks)}
    bars: list[Bar] = []
    on_chip = np.full(len(code), -1, dtype=np.int64)
    rows = np.concatenate([kept, sends])
    group = np.concatenate([code.chip[kept], np.full(len(sends), links_group)])
    lines = np.concatenate([number, link])
    on_wire = np.arange(len(rows)) >= len(kept)
    order = np.lexsort((lines, group, begin[rows]))
    for at in order.tolist():
        row, wire = int(rows[at]), bool(on_wire[at])
        details = {
            "start_ps": int(begin[row]),
            "start_cycle": int(code.start_cycle[row]),
            "duration_cycles": int(code.duration_cycles[row]),
        }
        train = int(code.train[row])
        if train >= 0:
            details |= {"train": train, "vectors": int(program.trains.vectors[train])}
        if not wire:
            on_chip[row] = len(bars)
        bars.append(
            Bar(
                track=place[int(group[at]), int(lines[at])],
                name=entries[int(code.operator[row])].name,
                category="TRAIN" if wire else Opcode(int(code.opcode[row])).name,
                start_ps=int(begin[row]),
                duration_ps=int(length[row]),
                details=details,
            )
        )
    plan = run.prepared.plan
    return Trace(
        groups=groups,
        tracks=tracks,
        bars=tuple(bars),
        arrows=_arrows(code.train, sends, receives, on_chip),
        samples=_samples(run, receives, begin),
        left_out=left_out,
        about={"model": run.prepared.model.name, "strategy": str(plan.strategy)},
    )


def _tracks(
    run: Run, chips: NDArray[np.int32], links: NDArray[np.int32]
) -> tuple[dict[int, Group], tuple[Track, ...]]:
    """Return groups of tracks and tracks: all slices of the chips, and the links."""
    topology = run.prepared.topology
    groups, tracks = {}, []
    for chip in chips.tolist():
        rack, node = topology.rack[chip], topology.node[chip]
        groups[chip] = Group(f"chip {chip}", f"rack {rack}, node {node}")
        for unit in Slice:
            wired = unit in (Slice.C2C_IN, Slice.C2C_OUT)
            for port in range(topology.ports_per_chip if wired else 1):
                name = f"{unit.name} {port}" if wired else unit.name
                tracks.append(Track(chip, int(unit) * _PORTS + port, name))
    if len(links):
        groups[topology.chips] = Group("links", "")
    for link in links.tolist():
        ends = f"chip {topology.source[link]} to {topology.target[link]}"
        level = Level(topology.level[link]).label
        tracks.append(Track(topology.chips, link, f"link {link}: {ends} ({level})"))
    return groups, tuple(tracks)


def _arrows(
    train: NDArray[np.int32], sends: Ints, receives: Ints, on_chip: Ints
) -> tuple[Arrow, ...]:
    """Return an arrow for each train of which both ends are shown."""
    _, source, target = np.intersect1d(
        train[sends], train[receives], return_indices=True
    )
    return tuple(
        Arrow(int(train[a]), int(on_chip[a]), int(on_chip[b]))
        for a, b in zip(sends[source], receives[target], strict=True)
    )


def _samples(run: Run, receives: Ints, begin: Ints) -> tuple[Sample, ...]:
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


def _lengths(run: Run, begin: Ints) -> Ints:
    """Return how long each instruction takes by its chip's own clock, in ps.

    Slices of one track must not overlap by even a picosecond of rounding.
    """
    code = run.schedule.program.instructions
    offset_ppm = run.result.chips.offset_ppm[code.chip]
    hz = run.prepared.machine.chip.clock_hz * (1 + offset_ppm / PPM)
    length: Ints = (code.duration_cycles * (PS_PER_S / hz)).astype(np.int64)
    order = np.lexsort((begin, code.port, code.slice, code.chip))
    before, after = order[:-1], order[1:]
    same = (
        (code.chip[before] == code.chip[after])
        & (code.slice[before] == code.slice[after])
        & (code.port[before] == code.port[after])
    )
    before, after = before[same], after[same]
    length[before] = np.minimum(length[before], begin[after] - begin[before])
    return length

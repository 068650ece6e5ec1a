"""A token as a trace for the Perfetto viewer: chips by slice, arrows along links.

The format is Chrome's JSON, whose times are microseconds; picoseconds are kept in each
event's arguments.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chip.program import Opcode, Slice
from experiments.run import Run
from specs.errors import SpecError
from specs.units import PS_PER_S, PS_PER_US

# Viewers become slow long before they fail.
_MOST_EVENTS = 200_000
_DEFAULT_CHIPS = 32


class Window(NamedTuple):
    """What of a token a trace shows.

    Attributes
    ----------
    first_chip, last_chip
        Chips, both included.
    start_us, end_us
        Time after the first chip starts on the token.
    """

    first_chip: int = 0
    last_chip: int = _DEFAULT_CHIPS - 1
    start_us: float = 0.0
    end_us: float = float("inf")


def trace_events(run: Run, window: Window) -> dict[str, Any]:
    """Return the trace of the first iteration, cut to what a viewer can take."""
    program = run.schedule.program
    code = program.instructions
    begin = run.result.records[0].instruction_ps
    # Some chip may be a little ahead of the first stage; viewers drop negative times.
    begin = begin - begin.min()
    length = _lengths(run, begin)
    shown = (
        (code.chip >= window.first_chip)
        & (code.chip <= window.last_chip)
        & (code.opcode != Opcode.MARK)
        & ((begin + length) / PS_PER_US >= window.start_us)
        & (begin / PS_PER_US <= window.end_us)
    )
    chosen = np.flatnonzero(shown)
    dropped = max(0, len(chosen) - _MOST_EVENTS)
    chosen = chosen[np.argsort(begin[chosen], kind="stable")][:_MOST_EVENTS]
    events = _names(run, np.unique(code.chip[chosen]))
    events += [_instruction(run, int(index), begin, length) for index in chosen]
    events += _arrows(run, chosen, begin)
    return {
        "traceEvents": events,
        "displayTimeUnit": "ns",
        "otherData": {
            "model": run.prepared.model.name,
            "strategy": str(run.prepared.plan.strategy),
            "events_left_out": dropped,
        },
    }


def _lengths(run: Run, begin: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how long each instruction takes by its chip's own clock, in ps.

    Slices of one track must not overlap by even a picosecond of rounding.
    """
    code = run.schedule.program.instructions
    offset_ppm = run.result.chips.offset_ppm[code.chip]
    hz = run.prepared.machine.chip.clock_hz * (1 + offset_ppm / 1e6)
    length: NDArray[np.int64] = (code.duration_cycles * (PS_PER_S / hz)).astype(
        np.int64
    )
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


def _track(run: Run, index: int) -> dict[str, int]:
    """Return the process (chip) and thread (slice and port) of an instruction."""
    code = run.schedule.program.instructions
    port = max(0, int(code.port[index]))
    return {"pid": int(code.chip[index]), "tid": int(code.slice[index]) * 64 + port}


def _names(run: Run, chips: NDArray[np.int32]) -> list[dict[str, Any]]:
    topology = run.prepared.topology
    events: list[dict[str, Any]] = []
    for chip in chips.tolist():
        name = f"chip {chip} (rack {topology.rack[chip]}, node {topology.node[chip]})"
        events.append(
            {"ph": "M", "name": "process_name", "pid": chip, "args": {"name": name}}
        )
        for unit in Slice:
            ports = range(11) if unit in (Slice.C2C_IN, Slice.C2C_OUT) else range(1)
            for port in ports:
                label = f"{unit.name} {port}" if len(ports) > 1 else unit.name
                events.append(
                    {
                        "ph": "M",
                        "name": "thread_name",
                        "pid": chip,
                        "tid": int(unit) * 64 + port,
                        "args": {"name": label},
                    }
                )
    return events


def _instruction(
    run: Run, index: int, begin: NDArray[np.int64], length: NDArray[np.int64]
) -> dict[str, Any]:
    program = run.schedule.program
    code = program.instructions
    entry = run.schedule.timeline.entries[int(code.operator[index])]
    return {
        "ph": "X",
        "name": entry.name,
        "cat": Opcode(int(code.opcode[index])).name,
        "ts": int(begin[index]) / PS_PER_US,
        "dur": int(length[index]) / PS_PER_US,
        **_track(run, index),
        "args": {
            "start_ps": int(begin[index]),
            "start_cycle": int(code.start_cycle[index]),
            "duration_cycles": int(code.duration_cycles[index]),
        },
    }


def _arrows(
    run: Run, chosen: NDArray[np.intp], begin: NDArray[np.int64]
) -> list[dict[str, Any]]:
    """Return a flow arrow for each train of which both ends are shown."""
    code = run.schedule.program.instructions
    ends: dict[int, dict[str, int]] = {}
    for index in chosen.tolist():
        train = int(code.train[index])
        if train >= 0:
            side = "to" if code.opcode[index] == Opcode.RECEIVE else "from"
            ends.setdefault(train, {})[side] = index
    events = []
    for train, pair in ends.items():
        if pair.keys() != {"from", "to"}:
            continue
        for side, phase in (("from", "s"), ("to", "f")):
            index = pair[side]
            events.append(
                {
                    "ph": phase,
                    "bp": "e",
                    "id": train,
                    "name": "train",
                    "cat": "train",
                    "ts": int(begin[index]) / PS_PER_US,
                    **_track(run, index),
                }
            )
    return events


def window_of(chips: str, time_us: str) -> Window:
    """Return the window that two ranges such as ``0-31`` and ``100-250`` name.

    Raises
    ------
    SpecError
        If a range is no pair of numbers in order.
    """
    try:
        first, last = (int(part) for part in chips.split("-"))
        start, end = (float(part) for part in time_us.split("-"))
    except ValueError:
        raise SpecError(
            f"--trace-chips {chips}, --trace-us {time_us}: write FROM-TO, as in 0-31"
        ) from None
    if first > last or not start < end:
        raise SpecError(
            f"--trace-chips {chips}, --trace-us {time_us}: FROM must lie before TO"
        )
    return Window(first, last, start, end)

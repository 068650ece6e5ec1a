"""Busy intervals of slices and ports, instruction by instruction, on lanes of lines.

An operator has an interval for each of its slice instructions; a SEND, FORWARD or
RECEIVE has one, on its port. Intervals that overlap on one line, such as two groups of
MEM slices that read at once, are on different lanes of it.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chip.functional_units import SliceInstruction, SlicePort
from chip.operator_work import LookupWork
from chip.program import Opcode, Program, Slice
from specs.arrays import Ints

_NAMES = {
    SlicePort.MEM_READ: "MEM read",
    SlicePort.MEM_WRITE: "MEM write",
    SlicePort.MXM_LOAD: "MXM load",
    SlicePort.MXM_INSTALL: "MXM install",
    SlicePort.MXM_MULTIPLY: "MXM multiply",
    SlicePort.MXM_ACCUMULATE: "MXM accumulate",
    SlicePort.VXM: "VXM",
    SlicePort.SXM: "SXM",
}
# Numbers of lines: parts of slices, ports out, ports in; a chip has fewer of each.
_MOST = 1_000
_OUT, _IN = _MOST, 2 * _MOST
# Both ends of an interval are rounded to whole ps.
_ROUNDING_PS = 2


class BusyInterval(NamedTuple):
    """Time for which an instruction occupies a line: a part of a slice, or a port.

    Attributes
    ----------
    row
        Instruction that it belongs to.
    group, line
        Chip and its line; of a wire, the group of all links and the link.
    category
        Slice instruction or opcode.
    start_ps, end_ps
        Time after the first chip starts the token.
    details
        Whole numbers, by a name that carries the unit.
    lane
        Lane of the line.
    """

    row: int
    group: int
    line: int
    category: str
    start_ps: int
    end_ps: int
    details: dict[str, int]
    lane: int = 0


def interval_counts(program: Program) -> Ints:
    """Return how many trace intervals each instruction has, shape ``(instructions,)``.

    A MARK has none. The READ of a product's weights has none either, because the read
    is one of the product's own intervals.
    """
    code = program.instructions
    steps = np.array([len(kind.steps) for kind in program.kinds] or [0], dtype=np.int64)
    lookups = [isinstance(kind.work, LookupWork) for kind in program.kinds] or [False]
    operator = code.kind >= 0
    counts = np.where(operator, steps[code.kind], 1)
    part = (code.opcode == Opcode.READ) & ~np.array(lookups)[code.kind]
    counts[(operator & part) | (code.opcode == Opcode.MARK)] = 0
    return counts.astype(np.int64)


def busy_intervals(
    program: Program,
    rows: NDArray[np.intp],
    begin: Ints,
    period_ps: NDArray[np.float64],
) -> list[BusyInterval]:
    """Return the intervals of some instructions in a trace, in the order of the rows.

    Parameters
    ----------
    program
        Program of the instructions.
    rows
        Instructions that have intervals.
    begin
        When each instruction of the program was issued, in ps.
    period_ps
        Clock period of the chip of each instruction of the program.
    """
    code = program.instructions
    intervals = []
    for row in rows.tolist():
        start_cycle = int(code.start_cycle[row])
        period = float(period_ps[row])
        chip, kind = int(code.chip[row]), int(code.kind[row])
        if kind < 0:
            out = code.slice[row] == Slice.C2C_OUT
            line = (_OUT if out else _IN) + int(code.port[row])
            cycles = int(code.duration_cycles[row])
            train = int(code.train[row])
            details = {
                "start_ps": int(begin[row]),
                "start_cycle": start_cycle,
                "duration_cycles": cycles,
                "train": train,
                "vectors": int(program.trains.vectors[train]),
            }
            category = Opcode(int(code.opcode[row])).name
            end_ps = int(begin[row]) + int(cycles * period)
            intervals.append(
                BusyInterval(
                    row, chip, line, category, int(begin[row]), end_ps, details
                )
            )
            continue
        for step in program.kinds[kind].steps:
            start_ps = int(begin[row]) + int(step.start_cycle * period)
            # Repeats of an instruction are one interval.
            end_ps = int(begin[row]) + int(step.end_cycle * period)
            details = {"start_ps": start_ps, **_details(step, start_cycle)}
            intervals.append(
                BusyInterval(
                    row, chip, step.port, step.step.name, start_ps, end_ps, details
                )
            )
    return intervals


def on_lanes(intervals: list[BusyInterval]) -> list[BusyInterval]:
    """Return trace intervals on lanes without overlap, sorted by start, group and line.

    An overlap that is due to rounding alone is cut off.
    """
    order = sorted(intervals, key=lambda each: (each.start_ps, each.group, each.line))
    last: dict[tuple[int, int], list[int]] = {}
    for index, interval in enumerate(order):
        lanes = last.setdefault((interval.group, interval.line), [])
        lane = next(
            (
                lane
                for lane, before in enumerate(lanes)
                if order[before].end_ps <= interval.start_ps + _ROUNDING_PS
            ),
            len(lanes),
        )
        if lane == len(lanes):
            lanes.append(index)
        before = lanes[lane]
        if before != index and order[before].end_ps > interval.start_ps:
            order[before] = order[before]._replace(end_ps=interval.start_ps)
        lanes[lane] = index
        order[index] = interval._replace(lane=lane)
    return order


def line_name(line: int, lane: int) -> str:
    """Return the name of a line in a trace, such as ``MXM load`` or ``C2C out 3``."""
    part, port = divmod(line, _MOST)
    if part == 0:
        name = _NAMES[SlicePort(port)]
    else:
        name = f"C2C out {port}" if line < _IN else f"C2C in {port}"
    return name if lane == 0 else f"{name} ({lane + 1})"


def _details(step: SliceInstruction, start_cycle: int) -> dict[str, int]:
    """Return the trace's details of a slice instruction of an operator that starts."""
    details = {
        "start_cycle": start_cycle + step.start_cycle,
        "duration_cycles": step.duration_cycles,
        "first_slice": step.first,
        "slices": step.units,
        "moved_bytes": step.bytes,
    }
    if step.east or step.west:
        details |= {"streams_east": step.east, "streams_west": step.west}
    if step.repeats > 1:
        details |= {
            "repeats": step.repeats,
            "interval_cycles": step.interval_cycles,
        }
    if step.macs:
        details["macs"] = step.macs
    return details

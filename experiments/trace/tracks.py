"""What slices and ports do when, instruction by instruction, on lines without overlap.

An operator is as many pieces as it has slice instructions; a SEND, FORWARD or RECEIVE
is one, on its port. What the same part of a slice does side by side, as two groups of
MEM slices that read at once, goes on lanes of one line.
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
# Lines of a chip: parts of slices, then ports; more of each than any chip has.
_MOST = 1_000
_OUT, _IN = _MOST, 2 * _MOST
# Both ends of a piece are rounded to whole ps.
_ROUNDING_PS = 2


class Piece(NamedTuple):
    """Something that takes time on a line.

    Attributes
    ----------
    row
        Instruction that it is a part of.
    group, line
        Chip, and the line there; or the group of all links, and the link.
    category
        What is done.
    start_ps, end_ps
        Time after the first chip starts on the token.
    details
        Whole numbers worth knowing, by a name that carries the unit.
    lane
        Which of the lanes of the line.
    """

    row: int
    group: int
    line: int
    category: str
    start_ps: int
    end_ps: int
    details: dict[str, int]
    lane: int = 0


def piece_counts(program: Program) -> Ints:
    """Return how many pieces each instruction is, 0 for what is no time on a slice.

    A product's read of its weights is one of its own pieces.
    """
    code = program.instructions
    steps = np.array([len(kind.steps) for kind in program.kinds] or [0], dtype=np.int64)
    lookups = [isinstance(kind.work, LookupWork) for kind in program.kinds] or [False]
    operator = code.kind >= 0
    counts = np.where(operator, steps[code.kind], 1)
    part = (code.opcode == Opcode.READ) & ~np.array(lookups)[code.kind]
    counts[(operator & part) | (code.opcode == Opcode.MARK)] = 0
    return counts.astype(np.int64)


def pieces_of(
    program: Program,
    rows: NDArray[np.intp],
    begin: Ints,
    period_ps: NDArray[np.float64],
) -> list[Piece]:
    """Return the pieces of some instructions, in no order.

    Parameters
    ----------
    program
        Whose instructions.
    rows
        Instructions that are pieces.
    begin
        When each instruction of the program was issued, in ps.
    period_ps
        Clock period of the chip of each instruction of the program.
    """
    code = program.instructions
    pieces = []
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
            pieces.append(
                Piece(row, chip, line, category, int(begin[row]), end_ps, details)
            )
            continue
        for step in program.kinds[kind].steps:
            start_ps = int(begin[row]) + int(step.start_cycle * period)
            ends = step.start_cycle + step.duration_cycles
            end_ps = int(begin[row]) + int(ends * period)
            details = {"start_ps": start_ps, **_details(step, start_cycle)}
            pieces.append(
                Piece(row, chip, step.port, step.step.name, start_ps, end_ps, details)
            )
    return pieces


def on_lanes(pieces: list[Piece]) -> list[Piece]:
    """Return pieces by start, group and line, on lanes on which none overlaps another.

    What overlaps by rounding alone is cut off.
    """
    order = sorted(pieces, key=lambda each: (each.start_ps, each.group, each.line))
    last: dict[tuple[int, int], list[int]] = {}
    for at, piece in enumerate(order):
        lanes = last.setdefault((piece.group, piece.line), [])
        lane = next(
            (
                lane
                for lane, before in enumerate(lanes)
                if order[before].end_ps <= piece.start_ps + _ROUNDING_PS
            ),
            len(lanes),
        )
        if lane == len(lanes):
            lanes.append(at)
        before = lanes[lane]
        if before != at and order[before].end_ps > piece.start_ps:
            order[before] = order[before]._replace(end_ps=piece.start_ps)
        lanes[lane] = at
        order[at] = piece._replace(lane=lane)
    return order


def line_name(line: int, lane: int) -> str:
    """Return what a line of a chip is called, such as ``MXM load`` or ``C2C out 3``."""
    part, port = divmod(line, _MOST)
    if part == 0:
        name = _NAMES[SlicePort(port)]
    else:
        name = f"C2C out {port}" if line < _IN else f"C2C in {port}"
    return name if lane == 0 else f"{name} ({lane + 1})"


def _details(step: SliceInstruction, start_cycle: int) -> dict[str, int]:
    details = {
        "start_cycle": start_cycle + step.start_cycle,
        "duration_cycles": step.duration_cycles,
        "first_slice": step.first,
        "slices": step.units,
        "moved_bytes": step.bytes,
    }
    if step.east or step.west:
        details |= {"streams_east": step.east, "streams_west": step.west}
    if step.macs:
        details["macs"] = step.macs
    return details

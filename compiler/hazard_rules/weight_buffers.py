"""Weight buffer rules: rounds of tiles that are loaded ahead are there, and fit.

For `compiler.verify`; independent of the code that makes programs.
"""

from collections.abc import Callable

import numpy as np

from chip.functional_units import SliceInstruction, SlicePort
from chip.operator_work import LoadWork, ProductWork
from chip.program import Opcode, OperatorKind, Program, Slice
from compiler.hazard_rules.rounds import times_of, widened_weights
from compiler.hazard_rules.structure import (
    by_start,
    in_period,
    is_kind,
    violation,
)
from specs.arrays import Ints, row_order
from specs.chip import ChipSpec
from specs.machine import MachineSpec
from specs.units import ceil_div


def check_loads(program: Program, machine: MachineSpec) -> int:
    """Prefetch hazard rule: refuse weights loaded ahead but not there.

    The weights loaded ahead of a product are those that it does not load itself.
    Between such a load and its product, no other operator loads weights. The VXM widens
    weights while it does nothing else. Unless the chip overlaps them, nothing loads
    while the rounds of another operator multiply.
    """
    code = program.instructions
    rows = np.flatnonzero(is_kind(program, ProductWork, LoadWork)[code.kind])
    rows = rows[(code.slice[rows] == Slice.MEM) & (code.kind[rows] >= 0)]
    if not len(rows):
        return 0
    chip = machine.chip
    ahead = np.array([_ahead(k.work, chip) for k in program.kinds], dtype=np.int64)
    operators = int(code.operator.max()) + 1
    key = code.chip[rows].astype(np.int64) * operators + code.operator[rows]
    keys, place = np.unique(key, return_inverse=True)
    # A load adds its rounds and bytes, a product subtracts those it relies on.
    for column, what in enumerate(("rounds of tiles", "bytes", "widened rounds")):
        balance = np.bincount(place, weights=ahead[code.kind[rows], column])
        if balance.any():
            at = int(np.flatnonzero(balance)[0])
            on_chip, ahead_of = divmod(int(keys[at]), operators)
            raise violation(
                "what is loaded ahead is not what a product relies on",
                f"chip {on_chip}, operator {ahead_of}: {int(balance[at]):,} {what} too "
                f"many",
            )
    start = in_period(program, code.start_cycle[rows])
    chips = np.tile(code.chip[rows], program.sequences)
    operator = np.tile(code.operator[rows], program.sequences)
    loads = np.tile(code.opcode[rows] == Opcode.LOAD, program.sequences)
    order = row_order(chips, start)
    chips, operator, loads = chips[order], operator[order], loads[order]
    following = np.roll(np.arange(len(order)), -1)
    last = np.flatnonzero(np.diff(chips, append=-1))
    following[last] = np.concatenate([[0], last[:-1] + 1])
    lost = loads & (operator != operator[following])
    if lost.any():
        at = int(np.flatnonzero(lost)[0])
        raise violation(
            "weights loaded ahead are lost",
            f"chip {chips[at]} loads for operator {operator[at]} at cycle "
            f"{start[order][at]}, but operator {operator[following[at]]} loads next",
        )
    if chip.widening_operations:
        kinds = code.kind[rows]
        for at, (took, takes) in enumerate(_widened(program, kinds, place, chip)):
            if took < takes:
                on_chip, ahead_of = divmod(int(keys[at]), operators)
                raise violation(
                    "a slice is faster than it can be",
                    f"chip {on_chip}, operator {ahead_of}: a round is loaded ahead in "
                    f"{took} cycles, and its weights are widened in {takes}",
                )
        _check_apart(program, _vxm_spans, "the VXM widens weights or computes")
    if not chip.overlap_load:
        _check_apart(program, _rounds_span, "the MXM loads or multiplies rounds")
    return len(order)


def _widened(
    program: Program, kinds: Ints, place: Ints, chip: ChipSpec
) -> list[tuple[int, int]]:
    """Return the cycles of the shortest round loaded ahead, and those it takes.

    The number of weights of a round is known to its product only. One for each place.
    """
    longest = np.iinfo(np.int64).max
    took, takes = [], []
    for kind in program.kinds:
        work = kind.work
        loads = [s.duration_cycles for s in kind.steps if s.port is SlicePort.MXM_LOAD]
        took.append(min(loads) if isinstance(work, LoadWork) else longest)
        weights = 0
        if isinstance(work, ProductWork) and work.preloaded_rounds:
            weights = widened_weights(chip, work)
        operations = weights * chip.widening_operations
        takes.append(ceil_div(operations, chip.vxm_alus * chip.lanes))
    least = np.full(int(place.max()) + 1, longest)
    most = np.zeros_like(least)
    np.minimum.at(least, place, np.array(took, dtype=np.int64)[kinds])
    np.maximum.at(most, place, np.array(takes, dtype=np.int64)[kinds])
    return list(zip(least.tolist(), most.tolist(), strict=True))


# First cycle of a use and number of cycles, from the start of an operator.
_Span = tuple[int, int]


def _span(steps: list[SliceInstruction]) -> list[_Span]:
    """Return the cycles from the first of some instructions to the last, if any."""
    if not steps:
        return []
    begin = min(step.start_cycle for step in steps)
    return [(begin, max(step.end_cycle for step in steps) - begin)]


def _rounds_span(kind: OperatorKind) -> list[_Span]:
    """Return the cycles of all rounds of a kind: loads, installs and multiplies."""
    ports = (SlicePort.MXM_LOAD, SlicePort.MXM_INSTALL, SlicePort.MXM_MULTIPLY)
    return _span([step for step in kind.steps if step.port in ports])


def _vxm_spans(kind: OperatorKind) -> list[_Span]:
    """Return when a kind takes the VXM: to widen weights and for results, or at all."""
    if not isinstance(kind.work, ProductWork | LoadWork):
        return [(0, max((step.end_cycle for step in kind.steps), default=0))]
    return _span([step for step in kind.steps if step.port is SlicePort.VXM])


def _check_apart(
    program: Program, spans_of: Callable[[OperatorKind], list[_Span]], what: str
) -> None:
    """Refuse operators of a chip of which some spans overlap."""
    code = program.instructions
    begins = np.isin(code.opcode, (Opcode.MATMUL, Opcode.LOAD, Opcode.VECTOR))
    rows = np.flatnonzero(begins & (code.kind >= 0))
    chips, starts, cycles = _of_kinds(program, rows, spans_of)
    (chip,), start, end = by_start(program, [chips], starts, cycles)
    twice = np.flatnonzero((start[1:] < end[:-1]) & (chip[1:] == chip[:-1]))
    if len(twice):
        at = int(twice[0])
        raise violation(
            "a slice does two things",
            f"chip {chip[at]}: {what} until cycle {end[at]}, and does so again from "
            f"cycle {start[at + 1]}",
        )


def _of_kinds(
    program: Program,
    rows: Ints,
    pairs_of: Callable[[OperatorKind], list[tuple[int, int]]],
) -> tuple[Ints, Ints, Ints]:
    """Return chip, cycle and number of what a kind's pairs say of each instruction.

    A pair is a cycle from the instruction's start, and a number that goes with it.
    """
    code = program.instructions
    none = np.zeros(0, dtype=np.int64)
    chips, cycles, numbers = [none], [none], [none]
    for kind in np.unique(code.kind[rows]).tolist():
        own = rows[code.kind[rows] == kind]
        for after, number in pairs_of(program.kinds[kind]):
            chips.append(code.chip[own].astype(np.int64))
            cycles.append(code.start_cycle[own] + after)
            numbers.append(np.full(len(own), number))
    return np.concatenate(chips), np.concatenate(cycles), np.concatenate(numbers)


def check_buffers(program: Program, machine: MachineSpec) -> int:
    """Buffer hazard rule: refuse more rounds of tiles than the buffers hold.

    A round is in the buffers from the begin of its load until it is installed. A load
    ahead of a product stays until the product's last round is installed.
    """
    code, chip = program.instructions, machine.chip
    rows = np.flatnonzero(is_kind(program, ProductWork, LoadWork)[code.kind])
    begins = np.isin(code.opcode[rows], (Opcode.MATMUL, Opcode.LOAD))
    rows = rows[begins & (code.kind[rows] >= 0)]
    on_chip, cycle, change = _of_kinds(program, rows, _buffered)
    # What leaves in a cycle makes room for what comes in it.
    order = np.lexsort((change, cycle, on_chip))
    on_chip, cycle, held = on_chip[order], cycle[order], np.cumsum(change[order])
    room = chip.mxm_buffer_bytes // chip.round_bytes
    wrong = (held > room) | (held < 0)
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        raise violation(
            "weight buffers hold too much or too little",
            f"chip {on_chip[at]} MXM: {held[at]:,} rounds of tiles at cycle "
            f"{cycle[at]}, and the buffers hold {room:,}",
        )
    return len(cycle)


def _buffered(kind: OperatorKind) -> list[tuple[int, int]]:
    """Return when the rounds in the buffers change, and by how many.

    A product counts with the most that it holds, from its first load on.
    """
    work = kind.work
    loads = times_of([s for s in kind.steps if s.port is SlicePort.MXM_LOAD])
    if isinstance(work, LoadWork):
        return [(int(loads.start[0]), work.rounds)]
    assert isinstance(work, ProductWork)
    installs = times_of([s for s in kind.steps if s.port is SlicePort.MXM_INSTALL])
    if not len(installs.end):
        return []
    # Rounds that are loaded, less those installed before, at the begin of each load.
    before = np.searchsorted(installs.end, loads.start, side="right")
    most = work.preloaded_rounds + np.arange(1, len(loads.start) + 1) - before
    peak = max(work.preloaded_rounds, int(most.max(initial=0)))
    begin = int(loads.start[0]) if len(loads.start) else int(installs.start[0])
    return [
        (begin, peak - work.preloaded_rounds),
        (int(installs.end[-1]), -peak),
    ]


def _ahead(work: object, chip: ChipSpec) -> tuple[int, int, int]:
    """Return rounds, bytes and widened rounds that a load adds, or a product needs."""
    if isinstance(work, LoadWork):
        sign, rounds, stored = 1, work.rounds, work.stored_bytes
    elif isinstance(work, ProductWork):
        sign, rounds, stored = -1, work.preloaded_rounds, work.preloaded_bytes
    else:
        return 0, 0, 0
    widened = rounds if widened_weights(chip, work) else 0
    return sign * rounds, sign * stored, sign * widened

"""Weight buffer rules: rounds of tiles that are loaded ahead are there, and fit.

For `compiler.verify`; independent of the code that makes programs.
"""

import numpy as np

from chip.functional_units import SliceOperation, SlicePort
from chip.operator_work import LoadWork, ProductWork
from chip.program import Opcode, OperatorKind, Program, Slice
from compiler.hazard_rules.rounds import times_of, widened_weights
from compiler.hazard_rules.structure import in_period, is_kind, violation
from specs.arrays import Ints, row_order
from specs.machine import ChipSpec, MachineSpec


def check_loads(program: Program, machine: MachineSpec) -> int:
    """Prefetch hazard rule: refuse weights loaded ahead but not there.

    The weights loaded ahead of a product are those that it does not load itself.
    Between such a load and its product, no other operator loads weights. The VXM widens
    weights while it does nothing else.
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
        _check_widening(program)
    return len(order)


def _check_widening(program: Program) -> None:
    """Refuse a vector operator while the VXM of its chip widens weights."""
    code = program.instructions
    spans = []
    for kind in program.kinds:
        widen = [step for step in kind.steps if step.step is SliceOperation.WIDEN]
        first = min((step.start_cycle for step in widen), default=-1)
        spans.append((first, max((step.end_cycle for step in widen), default=-1)))
    span = np.array([*spans, (-1, -1)], dtype=np.int64)[code.kind]
    loads = (code.slice == Slice.MEM) & (code.opcode == Opcode.LOAD)
    loads |= code.opcode == Opcode.MATMUL
    loads &= span[:, 1] > 0
    vectors = code.opcode == Opcode.VECTOR
    rows = np.flatnonzero(loads | vectors)
    begin = np.where(loads, span[:, 0], 0)[rows]
    takes = np.where(loads, span[:, 1], code.duration_cycles)[rows] - begin
    start: Ints = in_period(program, code.start_cycle[rows] + begin)
    chips = np.tile(code.chip[rows], program.sequences)
    order = row_order(chips, start)
    end = (start + np.tile(takes, program.sequences))[order]
    start, chips = start[order], chips[order]
    twice = np.flatnonzero((start[1:] < end[:-1]) & (chips[1:] == chips[:-1]))
    if len(twice):
        at = int(twice[0])
        raise violation(
            "a slice does two things",
            f"chip {chips[at]}: the VXM widens weights or computes until cycle "
            f"{end[at]}, and starts again at cycle {start[at + 1]}",
        )


def check_buffers(program: Program, machine: MachineSpec) -> int:
    """Buffer hazard rule: refuse more rounds of tiles than the buffers hold.

    A round is in the buffers from the begin of its load until it is installed. A load
    ahead of a product stays until the product's last round is installed.
    """
    code, chip = program.instructions, machine.chip
    rows = np.flatnonzero(is_kind(program, ProductWork, LoadWork)[code.kind])
    begins = np.isin(code.opcode[rows], (Opcode.MATMUL, Opcode.LOAD))
    rows = rows[begins & (code.kind[rows] >= 0)]
    chips: list[Ints] = []
    cycles: list[Ints] = []
    changes: list[Ints] = []
    for number in np.unique(code.kind[rows]).tolist():
        own = rows[code.kind[rows] == number]
        for after, rounds in _buffered(program.kinds[number]):
            chips.append(code.chip[own].astype(np.int64))
            cycles.append(code.start_cycle[own] + after)
            changes.append(np.full(len(own), rounds))
    if not chips:
        return 0
    on_chip, cycle, change = (np.concatenate(part) for part in (chips, cycles, changes))
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

"""Rate rules: slices compute no faster than they can, and results follow operands.

For `compiler.verify`; independent of the code that makes programs. Data flows from
slice to slice: a result is complete a pipeline fill after the last operand was read.
"""

import math

from chip.functional_units import SliceInstruction, SliceOperation, SlicePort
from chip.operator_work import LoadWork, LookupWork, ProductWork, VectorWork
from chip.program import OperatorKind
from compiler.hazard_rules.rounds import check_rounds
from compiler.hazard_rules.structure import violation
from specs.machine import MachineSpec
from specs.units import ceil_div


def check_rates(number: int, kind: OperatorKind, machine: MachineSpec) -> None:
    """Rate hazard rule: refuse a kind of operator that is faster than its slices.

    Parameters
    ----------
    number, kind
        A kind of operator, and its number for the message.
    machine
        Machine whose chips execute it.
    """
    work = kind.work
    if isinstance(work, VectorWork) and work.elements:
        _check_vector(number, kind.steps, work, machine)
    elif isinstance(work, ProductWork) and work.weights:
        _check_product(number, kind, work, machine)
    elif isinstance(work, LoadWork):
        check_rounds(number, kind, machine.chip)
    elif isinstance(work, LookupWork) and work.stored_bytes:
        fill = machine.chip.vector_fill_cycles
        least = _last(kind.steps, SlicePort.MEM_READ) + fill
        _least_end(number, kind.steps, SlicePort.MEM_WRITE, least)


def _on(steps: tuple[SliceInstruction, ...], port: SlicePort) -> list[SliceInstruction]:
    return [step for step in steps if step.port is port]


def _last(steps: tuple[SliceInstruction, ...], port: SlicePort) -> int:
    """Return the cycle at which the last instruction of a port ends, 0 if none."""
    return max((step.end_cycle for step in _on(steps, port)), default=0)


def _least_end(
    number: int, steps: tuple[SliceInstruction, ...], port: SlicePort, least: int
) -> None:
    """Refuse slices of a port that end before what they take can be there."""
    end = _last(steps, port)
    if end < least:
        raise violation(
            "a result is there before its operands",
            f"operator kind {number}: {port.name} ends at cycle {end}, and what it "
            f"takes is not complete before cycle {least}",
        )


def _least_time(
    number: int, steps: tuple[SliceInstruction, ...], port: SlicePort, least: int
) -> None:
    """Refuse slices of a port that take less time than their work needs."""
    taken = sum(
        step.busy_cycles
        for step in _on(steps, port)
        if step.step is not SliceOperation.WIDEN
    )
    if taken < least:
        raise violation(
            "a slice is faster than it can be",
            f"operator kind {number}: {port.name} is taken for {taken} cycles, and "
            f"its work takes {least}",
        )


def _check_vector(
    number: int,
    steps: tuple[SliceInstruction, ...],
    work: VectorWork,
    machine: MachineSpec,
) -> None:
    """Refuse a vector operator in less time than its elements take, pass after pass."""
    chip = machine.chip
    _vectors_are_some(number, work)
    cycles = _pass_cycles(work, machine)
    _least_time(number, steps, SlicePort.VXM, work.passes * cycles)
    fill = chip.vector_fill_cycles
    lanes = min(chip.lanes, -(-work.elements // work.vectors))
    reduced = work.reductions * math.ceil(math.log2(lanes)) * chip.lane_step_cycles
    whole = work.passes * (fill + cycles) + reduced
    _least_end(number, steps, SlicePort.MEM_WRITE, whole)
    least = _last(steps, SlicePort.MEM_READ) + fill
    _least_end(number, steps, SlicePort.MEM_WRITE, least)
    moved = 2 * work.passes * cycles if work.reorders else 0
    _least_time(number, steps, SlicePort.SXM, moved + reduced)


def _vectors_are_some(number: int, work: VectorWork) -> None:
    """Refuse more vectors than there are elements, or none."""
    if not 1 <= work.vectors <= max(1, work.elements):
        raise violation(
            "a kind of operator does something else",
            f"operator kind {number}: {work.elements:,} elements are not {work.vectors}"
            f" vectors",
        )


def _pass_cycles(work: VectorWork, machine: MachineSpec) -> int:
    """Return the least cycles of one pass: its vectors, padded to whole lanes."""
    chip = machine.chip
    chains = ceil_div(work.operations, chip.vxm_alus)
    length = ceil_div(work.elements, work.vectors)
    return work.vectors * ceil_div(length, chip.lanes) * chains


def _check_product(
    number: int, kind: OperatorKind, work: ProductWork, machine: MachineSpec
) -> None:
    """Refuse a product faster than the MXM, or written before it is complete."""
    chip, steps = machine.chip, kind.steps
    check_rounds(number, kind, chip)
    if work.chain:
        _vectors_are_some(number, work.chain)
        least = work.chain.passes * _pass_cycles(work.chain, machine)
        _least_time(number, steps, SlicePort.VXM, least)
        _least_end(number, steps, SlicePort.VXM, _last(steps, SlicePort.MXM_MULTIPLY))
    flow = (
        (SlicePort.MXM_ACCUMULATE, SlicePort.MXM_MULTIPLY),
        (SlicePort.MEM_WRITE, SlicePort.MXM_ACCUMULATE),
        (SlicePort.MEM_WRITE, SlicePort.VXM),
    )
    for later, earlier in flow:
        _least_end(number, steps, later, _last(steps, earlier))
    # From the first load, or else installation, to the last row, and the fill.
    ports = (SlicePort.MXM_LOAD, SlicePort.MXM_INSTALL)
    first = min(step.start_cycle for step in steps if step.port in ports)
    span = _last(steps, SlicePort.MXM_MULTIPLY) - first
    chained = work.chain.passes * _pass_cycles(work.chain, machine) if work.chain else 0
    whole = chip.matmul_fill_cycles + span + chained
    _least_end(number, steps, SlicePort.MEM_WRITE, whole)

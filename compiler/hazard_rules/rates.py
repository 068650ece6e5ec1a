"""Rate rules: slices compute no faster than they can, and results follow operands.

For `compiler.verify`; independent of the code that makes programs. Data flows from
slice to slice: a result is complete a pipeline fill after the last operand was read.
"""

from chip.functional_units import SliceInstruction, SlicePort
from chip.operator_work import LookupWork, ProductWork, VectorWork
from chip.program import OperatorKind
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
        _check_product(number, kind.steps, work, machine)
    elif isinstance(work, LookupWork) and work.stored_bytes:
        fill = machine.chip.vector_fill_cycles
        least = _last(kind.steps, SlicePort.MEM_READ) + fill
        _least_end(number, kind.steps, SlicePort.MEM_WRITE, least)


def _on(steps: tuple[SliceInstruction, ...], port: SlicePort) -> list[SliceInstruction]:
    return [step for step in steps if step.port is port]


def _last(steps: tuple[SliceInstruction, ...], port: SlicePort) -> int:
    """Return the cycle at which the last instruction of a port ends, 0 if none."""
    ends = [step.start_cycle + step.duration_cycles for step in _on(steps, port)]
    return max(ends, default=0)


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
    taken = sum(step.duration_cycles for step in _on(steps, port))
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
    chains = ceil_div(work.operations, chip.vxm_alus)
    cycles = ceil_div(work.elements, chip.lanes) * chains
    _least_time(number, steps, SlicePort.VXM, work.passes * cycles)
    fill = chip.vector_fill_cycles
    whole = work.passes * (fill + cycles)
    _least_end(number, steps, SlicePort.MEM_WRITE, whole)
    least = _last(steps, SlicePort.MEM_READ) + fill
    _least_end(number, steps, SlicePort.MEM_WRITE, least)
    if work.reorders:
        _least_time(number, steps, SlicePort.SXM, 2 * work.passes * cycles)


def _check_product(
    number: int,
    steps: tuple[SliceInstruction, ...],
    work: ProductWork,
    machine: MachineSpec,
) -> None:
    """Refuse a product faster than the MXM, or written before it is complete."""
    chip = machine.chip
    rate = chip.mxm_int8_macs_per_cycle
    if work.operand_bytes > 1:
        rate = chip.mxm_fp16_macs_per_cycle
    for step in _on(steps, SlicePort.MXM_MULTIPLY):
        least = ceil_div(step.macs * chip.mxm_planes, rate * step.units)
        _least_time(number, (step,), SlicePort.MXM_MULTIPLY, least)
    installed = sum(step.bytes for step in _on(steps, SlicePort.MXM_INSTALL))
    if installed != work.fed_bytes:
        raise violation(
            "a kind of operator does something else",
            f"operator kind {number}: {installed:,} bytes are installed, "
            f"{work.fed_bytes:,} are asked for",
        )
    loads = [step.duration_cycles for step in _on(steps, SlicePort.MXM_LOAD)]
    whole = chip.matmul_fill_cycles + sum(loads)
    flow = (
        (SlicePort.MXM_INSTALL, SlicePort.MXM_LOAD),
        (SlicePort.MXM_MULTIPLY, SlicePort.MXM_INSTALL),
        (SlicePort.MXM_ACCUMULATE, SlicePort.MXM_MULTIPLY),
        (SlicePort.MEM_WRITE, SlicePort.MXM_ACCUMULATE),
    )
    if work.chain:
        chains = ceil_div(work.chain.operations, chip.vxm_alus)
        least = ceil_div(work.chain.elements, chip.lanes) * chains
        _least_time(number, steps, SlicePort.VXM, least)
    for later, earlier in flow:
        _least_end(number, steps, later, _last(steps, earlier))
    _least_end(number, steps, SlicePort.MEM_WRITE, whole)

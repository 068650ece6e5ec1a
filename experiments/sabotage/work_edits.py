"""Edits of the work of a program's operators, for sabotage."""

from dataclasses import replace

import numpy as np

from chip.lowering import lower
from chip.operator_cycles import work_cycles
from chip.operator_work import (
    LoadWork,
    LookupWork,
    ProductWork,
    Shape,
    VectorWork,
    Work,
)
from chip.program import Opcode, OperatorKind, Program
from experiments.sabotage.program_edits import sorted_code, with_rows
from specs.arrays import Ints
from specs.machine import MachineSpec


def halved_work(work: Work) -> Work | None:
    """Return half of an operator's work for sabotage, None if it has no half."""
    if isinstance(work, ProductWork) and work.weights > 1:
        return with_shape(work, _halved(work.shape))
    if isinstance(work, VectorWork) and work.elements > 1:
        return work._replace(elements=work.elements // 2)
    if isinstance(work, LoadWork) and work.stored_bytes > 1:
        return work._replace(stored_bytes=work.stored_bytes // 2)
    if isinstance(work, LookupWork) and work.stored_bytes > 1:
        return work._replace(stored_bytes=work.stored_bytes // 2)
    return None


def _halved(shape: Shape) -> Shape:
    """Return a shape with half of its matrices, columns or rows."""
    if shape.matrices > 1:
        return shape._replace(matrices=shape.matrices // 2)
    if sum(shape.columns) > 1:
        return shape._replace(columns=(sum(shape.columns) // 2,))
    return shape._replace(inner=(sum(shape.inner) // 2,))


def with_shape(work: ProductWork, shape: Shape) -> ProductWork:
    """Return a sabotaged product of another shape, which reads in proportion.

    What is loaded ahead stays, since the instruction that loads it does.
    """
    left, whole = shape.elements, max(1, work.weights)
    return work._replace(
        shape=shape,
        stored_bytes=work.stored_bytes * left // whole,
        preloaded_bytes=work.preloaded_bytes * left // whole,
    )


def with_work(
    program: Program, machine: MachineSpec, rows: Ints, work: Work
) -> Program:
    """Return a sabotaged program in which instructions of an operator do other work.

    They start when they did, and are as long as the work takes.
    """
    kinds = (*program.kinds, OperatorKind(work, lower(machine.chip, work)))
    code = program.instructions
    whole = work_cycles(machine.chip, work)
    takes = np.where(
        (code.opcode[rows] == Opcode.READ) & isinstance(work, ProductWork),
        np.minimum(code.duration_cycles[rows], whole),
        whole,
    )
    code = with_rows(code, rows, kind=len(kinds) - 1, duration_cycles=takes)
    return replace(program, kinds=kinds, instructions=sorted_code(code))

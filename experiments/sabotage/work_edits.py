"""Edits of the work of a program's operators, for sabotage."""

from dataclasses import replace

import numpy as np

from chip.lowering import lower
from chip.operator_cycles import work_cycles
from chip.operator_work import LoadWork, LookupWork, ProductWork, VectorWork, Work
from chip.program import Opcode, OperatorKind, Program
from experiments.sabotage.program_edits import sorted_code, with_rows
from specs.arrays import Ints
from specs.machine import MachineSpec


def halved_work(work: Work) -> Work | None:
    """Return half of an operator's work for sabotage, None if it has no half."""
    if isinstance(work, ProductWork) and work.weights > 1 and work.fed_bytes > 1:
        half = work.weights // 2
        return work._replace(
            weights=half,
            stored_bytes=work.stored_bytes // 2,
            ready_bytes=min(work.ready_bytes, half * work.operand_bytes),
            preloaded_bytes=work.preloaded_bytes // 2,
            masked_macs=work.masked_macs // 2,
            shape=None,
        )
    if isinstance(work, VectorWork) and work.elements > 1:
        return work._replace(elements=work.elements // 2)
    if isinstance(work, LoadWork) and work.stored_bytes > 1:
        return LoadWork(work.fed_bytes // 2, work.stored_bytes // 2)
    if isinstance(work, LookupWork) and work.stored_bytes > 1:
        return work._replace(stored_bytes=work.stored_bytes // 2)
    return None


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

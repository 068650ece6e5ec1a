"""Instruction rules: what operations state is executed, for as much work as it takes.

For `compiler.verify`; independent of the code that makes programs.
"""

import numpy as np

from chip.dataflow import Function
from chip.operator_work import LookupWork, ProductWork, VectorWork
from chip.program import Opcode
from compiler.dataflow_rules.operation_amounts import OperationAmounts
from compiler.dataflow_rules.statements import Statements
from compiler.rules.structure import violation
from specs.arrays import Ints

_PRODUCTS = (Function.PRODUCT, Function.ROUTER, Function.SCORES, Function.ATTEND)
# Opcodes that compute, as bits.
_BITS = {Opcode.READ: 1, Opcode.MATMUL: 2, Opcode.VECTOR: 4}
_OF_PRODUCT = _BITS[Opcode.READ] | _BITS[Opcode.MATMUL]


def check_instructions(statements: Statements) -> int:
    """Instruction rule: refuse operations that no slice executes, and idle slices.

    A matrix product takes a read of its operands and a multiplication, a lookup a read,
    all else a vector instruction; chained operations share one.
    """
    table, code = statements.flow.operations, statements.program.instructions
    own = np.flatnonzero(np.isin(code.opcode, list(_BITS)))
    chips = statements.program.chips
    done = code.operator[own].astype(np.int64) * chips + code.chip[own]
    keys, place, count = np.unique(done, return_inverse=True, return_counts=True)
    found = np.zeros(len(keys), dtype=np.int64)
    bits = np.array([_BITS.get(Opcode(n), 0) for n in range(len(Opcode))])
    np.bitwise_or.at(found, place, bits[code.opcode[own]])
    needed = table.operator.astype(np.int64) * chips + table.chip
    wanted = np.full(len(table), _BITS[Opcode.VECTOR])
    wanted[np.isin(table.function, _PRODUCTS)] = _OF_PRODUCT
    wanted[table.function == Function.LOOKUP] = _BITS[Opcode.READ]
    at = np.minimum(np.searchsorted(keys, needed), max(len(keys) - 1, 0))
    there = keys[at] == needed if len(keys) else np.zeros(len(table), dtype=bool)
    operations = np.arange(len(table))
    statements.must(there, operations, "is executed by no instruction")
    single = (found[at] == wanted) & (
        count[at] == np.where(wanted == _OF_PRODUCT, 2, 1)
    )
    statements.must(single, operations, "is executed by other slices, or twice")
    _check_idle(statements, own, done)
    return len(table) + len(own)


def _check_idle(statements: Statements, own: Ints, done: Ints) -> None:
    """Refuse instructions without an operation.

    Chips without a part of a sum may idle while others add theirs.
    """
    table, code = statements.flow.operations, statements.program.instructions
    needed = table.operator.astype(np.int64) * statements.program.chips + table.chip
    sums = table.operator[table.function == Function.PARTIAL_SUM]
    idle = ~np.isin(done, needed) & ~np.isin(code.operator[own], sums)
    rows = np.flatnonzero(idle)
    if len(rows):
        row = int(own[rows[0]])
        raise violation(
            "the program computes something else",
            f"chip {code.chip[row]} executes {Opcode(int(code.opcode[row])).name} at "
            f"cycle {code.start_cycle[row]}, for which no operation is stated",
        )


def check_work(statements: Statements, amounts: OperationAmounts) -> int:
    """Work rule: refuse an instruction of less work than its operation needs."""
    table, code = statements.flow.operations, statements.program.instructions
    chips = statements.program.chips
    own = np.flatnonzero(np.isin(code.opcode, list(_BITS)))
    done = code.operator[own].astype(np.int64) * chips + code.chip[own]
    order = np.argsort(done, kind="stable")
    needed = table.operator.astype(np.int64) * chips + table.chip
    kind = code.kind[own[order[np.searchsorted(done[order], needed)]]]
    works = [each.work for each in statements.program.kinds]
    product = np.array([isinstance(work, ProductWork) for work in works])
    lookup = np.array([isinstance(work, LookupWork) for work in works])
    is_product = np.isin(table.function, _PRODUCTS)
    is_lookup = table.function == Function.LOOKUP
    operations = np.arange(len(table))
    statements.must(
        (product[kind] == is_product) & (lookup[kind] == is_lookup),
        operations,
        "is work of another kind",
    )
    weights = np.array([getattr(work, "weights", 0) for work in works])[kind]
    macs = np.array([work.macs for work in works])[kind]
    elements = np.array(
        [work.elements if isinstance(work, VectorWork) else 0 for work in works]
    )[kind]
    read = np.array(
        [work.stored_bytes if isinstance(work, LookupWork) else 0 for work in works]
    )[kind]
    statements.must(
        ~is_product | ((weights == amounts.weights) & (macs == amounts.macs)),
        operations,
        "multiplies more or less than its regions",
    )
    statements.must(
        is_product | is_lookup | (elements >= amounts.elements),
        operations,
        "takes fewer elements than its regions have",
    )
    return statements.must(
        ~is_lookup | (read >= amounts.read_bytes),
        operations,
        "looks up less than its regions",
    )

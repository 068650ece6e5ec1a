"""Instruction rules: what is stated has a meaning, and instructions execute it.

For `compiler.verify`; independent of the code that makes programs.
"""

from typing import NamedTuple

import numpy as np

from chip.dataflow import Function, Pass, Regions
from chip.operator_work import LookupWork, ProductWork, VectorWork
from chip.program import Opcode
from compiler.dataflow_rules.regions import Flags, begins_of_arrays
from compiler.dataflow_rules.statements import Statements
from compiler.hazard_rules.structure import violation
from sharding.weights.task import Task
from specs.arrays import Ints

_GRAPH_PRODUCTS = (Function.MATRIX_PRODUCT, Function.PAIRED_PRODUCT)
_PRODUCTS = (
    *(Function.PRODUCT, Function.ROUTER, Function.SCORES, Function.ATTEND),
    *(Function.ABSORB, Function.EXPAND, Function.EXPAND_VALUES),
    *_GRAPH_PRODUCTS,
)
_LOOKUPS = (Function.LOOKUP, Function.LOOKUP_ROWS)
# Opcodes that compute, as bits.
_BITS = {Opcode.READ: 1, Opcode.MATMUL: 2, Opcode.VECTOR: 4}
# Functions that sum what they read on the way.
_READ_SUMS = (Function.BIAS, Function.POSITION, Function.ACTIVATE)
# Functions of one instruction: each element passes both on its way.
_CHAINS = {
    (Function.BIAS, Function.POSITION),
    # A sum of a product's slices on the way.
    *((Function.SUM_SCALE, last) for last in _READ_SUMS),
    # Slices of one product, by its input or by what it makes.
    (Function.PRODUCT, Function.PRODUCT),
    *((product, Function.VECTOR) for product in _GRAPH_PRODUCTS),
}
# Properties of works beside their fields.
_DERIVED = ("weights", "macs", "written_bytes")
_EDGES = ("first", "last", "part_first", "part_last")
_OF_PRODUCT = _BITS[Opcode.READ] | _BITS[Opcode.MATMUL]


def check_instructions(statements: Statements, *, sums: bool = False) -> int:
    """Instruction dataflow rule: refuse operations that are not executed.

    A matrix product takes a read of its operands and a multiplication, a lookup a read,
    all else a vector instruction; chained operations share one.

    Parameters
    ----------
    statements
        The program's statements.
    sums
        Whether there are only sums: those of one instruction are of different columns,
        and a chip may idle while others add.
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
    wanted[np.isin(table.function, _LOOKUPS)] = _BITS[Opcode.READ]
    # What is chained to a product shares its instruction.
    chained = np.flatnonzero(needed[1:] == needed[:-1]) + 1
    wanted[chained] = wanted[chained - 1]
    at = np.minimum(np.searchsorted(keys, needed), max(len(keys) - 1, 0))
    there = keys[at] == needed if len(keys) else np.zeros(len(table), dtype=bool)
    operations = np.arange(len(table))
    statements.must(there, operations, "is executed by no instruction")
    single = (found[at] == wanted) & (
        count[at] == np.where(wanted == _OF_PRODUCT, 2, 1)
    )
    statements.must(single, operations, "is executed by other slices, or twice")
    if not sums:
        _check_chains(statements)
        _check_idle(statements, own, done)
    return len(table) + len(own)


class InstructionWorks(NamedTuple):
    """Numbers of each operation's work by name, for dataflow rules, 0 without one."""

    kind: Ints
    is_product: Flags
    is_lookup: Flags
    numbers: dict[str, Ints]


def instruction_works(statements: Statements) -> InstructionWorks:
    """Return the work of each operation's instructions, for dataflow rules.

    Those of one operation must be of one kind.
    """
    table, code = statements.flow.operations, statements.program.instructions
    chips = statements.program.chips
    own = np.flatnonzero(np.isin(code.opcode, list(_BITS)))
    done = code.operator[own].astype(np.int64) * chips + code.chip[own]
    order = np.argsort(done, kind="stable")
    done, kinds = done[order], code.kind[own[order]]
    needed = table.operator.astype(np.int64) * chips + table.chip
    kind = kinds[np.searchsorted(done, needed)]
    last = kinds[np.searchsorted(done, needed, "right") - 1]
    statements.must(
        kind == last, np.arange(len(table)), "reads for other work than it multiplies"
    )
    works = [each.work for each in statements.program.kinds]
    names = {*ProductWork._fields, *VectorWork._fields, *_DERIVED}
    numbers = {
        name: np.array([_number(work, name) for work in works], dtype=np.int64)[kind]
        for name in sorted(names)
    }
    product = np.array([isinstance(work, ProductWork) for work in works])
    lookup = np.array([isinstance(work, LookupWork) for work in works])
    return InstructionWorks(kind.astype(np.int64), product[kind], lookup[kind], numbers)


def _number(work: object, name: str) -> int:
    """Return a number of a work, 0 if it has none of the name."""
    value = getattr(work, name, 0)
    return int(value) if isinstance(value, int) else 0


def of_instructions(statements: Statements, amounts: Ints) -> Ints:
    """Return, for dataflow rules, an amount summed over each instruction's operations.

    Parameters
    ----------
    statements
        The program's statements.
    amounts
        Amount of each operation, shape ``(operations,)``.
    """
    first = np.flatnonzero(statements.chained == 0)
    if len(first) == len(amounts):
        return amounts
    number = np.cumsum(statements.chained == 0) - 1
    total: Ints = np.add.reduceat(amounts, first)[number]
    return total


def read_again(statements: Statements) -> Ints:
    """Return, for dataflow rules, regions that an instruction has read before."""
    reads, table = statements.flow.reads, statements.flow.operations
    place = statements.chained
    chained = np.append(place[1:] > 0, False) | (place > 0)
    rows = np.flatnonzero(chained[reads.owner])
    owner = reads.owner[rows]
    columns = [
        *(table.operator[owner], table.chip[owner], reads.value[rows]),
        *(reads.first[rows], reads.last[rows]),
    ]
    _, first = np.unique(np.array(columns), axis=1, return_index=True)
    again: Ints = np.delete(rows, first)
    return again


def summed_in_passing(statements: Statements) -> tuple[Ints, Ints]:
    """Return, for dataflow rules, chained sums of slices and what reads them.

    That is the last operation of the instruction.
    """
    function, place = statements.flow.operations.function, statements.chained
    first = np.flatnonzero(place == 0)
    last = np.append(first[1:], len(place))[: len(first)] - 1
    several = (function[first] == Function.SUM_SCALE) & (last > first)
    return first[several], last[several]


def _check_chains(statements: Statements) -> None:
    """Refuse operations of one instruction that the VXM does not chain."""
    table = statements.flow.operations
    same = (table.operator[1:] == table.operator[:-1]) & (
        table.chip[1:] == table.chip[:-1]
    )
    pairs = zip(table.function[:-1].tolist(), table.function[1:].tolist(), strict=True)
    chained = np.array([pair in _CHAINS for pair in pairs], dtype=bool)
    of_one = table.name[1:] == table.name[:-1]
    chained &= of_one | (table.function[1:] != Function.PRODUCT)
    later = np.arange(1, len(table))
    statements.must(
        ~same | chained, later, "has no instruction of its own, and needs one"
    )


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


def check_passes(statements: Statements, task: Task) -> int:
    """Dataflow rule: refuse passes that the plan does not ask for, and their values.

    The last pass is that of the plan. Several are the chunks of a prompt, in order, of
    which only the last is answered.
    """
    flow = statements.flow
    encoder = task.model.structure.encoder
    queries = task.context if encoder else task.query_tokens
    answers = queries if encoder else task.answer_tokens
    wanted = [Pass(task.context, queries, answers, task.batch)]
    for one in flow.passes[-2::-1]:
        begin = wanted[0].context_tokens - wanted[0].query_tokens
        wanted.insert(0, Pass(begin, one.query_tokens, 0, task.batch))
    begin = wanted[0].context_tokens - wanted[0].query_tokens
    if list(flow.passes) != wanted or (len(wanted) > 1 and begin):
        raise violation(
            "the program computes something else",
            f"its passes are {', '.join(map(_words, flow.passes))}, and the plan asks "
            f"for {', '.join(map(_words, wanted))}",
        )
    for name, regions in (("reads", flow.reads), ("makes", flow.writes)):
        _check_rows(statements, regions, name)
    check_edges(statements)
    return len(flow.passes)


def _words(one: Pass) -> str:
    """Return a pass in words."""
    return (
        f"{one.query_tokens} of {one.context_tokens} positions of {one.batch} "
        f"sequences ({one.answer_tokens} answered)"
    )


def _check_rows(statements: Statements, regions: Regions, what: str) -> None:
    """Refuse values of another pass, or with fewer rows than an operation needs.

    Only the head goes without the positions that are not answered.
    """
    flow = statements.flow
    number = np.array([value.number for value in flow.values], dtype=np.int64)
    answered = np.array([value.answered for value in flow.values], dtype=bool)
    head = np.array([name.startswith("head.") for name in flow.names], dtype=bool)
    table, value = flow.operations, regions.value
    own = regions.owner.astype(np.int64)
    # What stays from pass to pass is read, and never made.
    stays = (number[value] < 0) & (regions is flow.reads)
    same = number[value] == table.number[own]
    statements.must(stays | same, own, f"{what} a value of another pass")
    fewer = answered[value] & ~head[table.name[own]]
    statements.must(~fewer, own, f"{what} answered positions only")


def check_edges(statements: Statements) -> None:
    """Edge dataflow rule: refuse empty regions, and torn arrays."""
    flow = statements.flow
    for regions in (flow.reads, flow.writes, flow.carried):
        turned = (regions.first < 0) | (regions.first >= regions.last)
        turned |= (regions.part_first < 0) | (regions.part_first >= regions.part_last)
        rows = np.flatnonzero(turned)
        if len(rows):
            row = int(rows[0])
            edges = [int(getattr(regions, name)[row]) for name in _EDGES]
            raise violation(
                "the program computes something else",
                f"columns {edges[0]} to {edges[1]} and parts {edges[2]} to {edges[3]} "
                f"(end exclusive) are stated of "
                f"{flow.values[int(regions.value[row])].name}",
            )
        again = np.flatnonzero(~begins_of_arrays(regions))
        torn = regions.first[again] != regions.first[again - 1]
        torn |= regions.last[again] != regions.last[again - 1]
        if torn.any():
            row = int(again[np.flatnonzero(torn)[0]])
            raise violation(
                "the program computes something else",
                f"an array of {flow.values[int(regions.value[row])].name} is stated "
                f"with parts of columns {regions.first[row]} to {regions.last[row]}, "
                f"and of others",
            )

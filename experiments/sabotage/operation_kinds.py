"""Sabotage of operators: deleted, halved, done twice, and done elsewhere."""

from dataclasses import replace

import numpy as np

from chip.dataflow import Dataflow, Function
from chip.mxm_tiling import tiling
from chip.operator_work import ProductWork
from chip.program import Program
from experiments.sabotage.case import Sabotage, SabotageCase
from experiments.sabotage.dataflow_edits import (
    halved,
    with_flow,
    without_operations,
)
from experiments.sabotage.program_edits import (
    chosen_rows,
    computing,
    rows_of,
    sorted_code,
    with_rows,
)
from experiments.sabotage.work_edits import halved_work, with_work
from specs.arrays import Ints

Random = np.random.Generator
PRODUCTS = (
    *(Function.PRODUCT, Function.ROUTER, Function.SCORES, Function.ATTEND),
    *(Function.MATRIX_PRODUCT, Function.PAIRED_PRODUCT),
)
_VARIANTS = ("instructions", "statements", "both")


def _product(case: SabotageCase, random: Random) -> Ints:
    own = np.isin(case.flow.operations.function, PRODUCTS)
    return random.choice(np.flatnonzero(own), 1)


def _vector(case: SabotageCase, random: Random) -> Ints:
    own = np.isin(case.flow.operations.function, PRODUCTS)
    return random.choice(np.flatnonzero(~own), 1)


def _products(case: SabotageCase, _random: Random) -> Ints:
    return np.flatnonzero(np.isin(case.flow.operations.function, PRODUCTS))


def _biggest(case: SabotageCase, _random: Random) -> Ints:
    """Return the operations of the product with the most weights, on all its chips."""
    code = case.program.instructions
    weights = np.array([getattr(k.work, "weights", 0) for k in case.program.kinds])
    rows = computing(case.program)
    row = rows[np.argmax(weights[code.kind[rows]])]
    return np.flatnonzero(case.flow.operations.operator == code.operator[row])


def _attention(case: SabotageCase, random: Random) -> Ints:
    """Return the operations of attention in one layer and pass, on all its chips."""
    table = case.flow.operations
    scores = np.flatnonzero(table.function == Function.SCORES)
    if not len(scores):
        return scores
    operator = table.operator[random.choice(scores)]
    later = table.operator[table.function == Function.ATTEND]
    end = int(later[later > operator].min())
    return np.flatnonzero((table.operator >= operator) & (table.operator <= end))


_CHOICES = {
    "a product": _product,
    "a vector operator": _vector,
    "all products": _products,
    "attention of a layer": _attention,
}


def _rows(case: SabotageCase, operations: Ints) -> Ints:
    """Return the instructions that execute operations, and load weights for them."""
    code, table = case.program.instructions, case.flow.operations
    chips = case.program.chips
    rows = np.flatnonzero(code.kind >= 0)
    own = code.operator[rows].astype(np.int64) * chips + code.chip[rows]
    wanted = table.operator[operations].astype(np.int64) * chips
    return rows[np.isin(own, wanted + table.chip[operations])]


def _deleted(kind: str, variant: str) -> Sabotage:
    def change(case: SabotageCase, random: Random) -> Program | None:
        operations = _CHOICES[kind](case, random)
        if not len(operations):
            return None
        program, code = case.program, case.program.instructions
        if variant != "statements":
            kept = np.setdiff1d(np.arange(len(code)), _rows(case, operations))
            program = replace(program, instructions=chosen_rows(code, kept))
        if variant != "instructions":
            program = without_operations(program, operations)
        return program

    random = kind != "all products"
    return Sabotage(f"{kind} deleted", variant, change, is_random=random)


_HALVES = {
    "a product": _product,
    "a vector operator": _vector,
    "the biggest product": _biggest,
}


def _halved(kind: str, variant: str) -> Sabotage:
    def change(case: SabotageCase, random: Random) -> Program | None:
        operations = _HALVES[kind](case, random)
        program = case.program
        if variant != "statements":
            rows = _rows(case, operations)
            for number in np.unique(program.instructions.kind[rows]).tolist():
                own = rows[case.program.instructions.kind[rows] == number]
                work = halved_work(program.kinds[number].work)
                if work is None:
                    return None
                program = _same_rows(program, case, own, work)
        if variant != "instructions":
            flow = case.flow
            made = np.flatnonzero(np.isin(flow.writes.owner, operations))
            read = np.flatnonzero(np.isin(flow.reads.owner, operations))
            stays = np.array([value.number < 0 for value in flow.values])
            read = read[stays[flow.reads.value[read]]]
            program = with_flow(
                program,
                reads=halved(flow.reads, read),
                writes=halved(flow.writes, made),
            )
        return program

    random = kind != "the biggest product"
    return Sabotage(f"{kind} halved", variant, change, is_random=random)


def _same_rows(
    program: Program, case: SabotageCase, rows: Ints, work: object
) -> Program:
    """Give instructions other work; their rows stay, since their starts do."""
    assert isinstance(work, tuple)
    return with_work(program, case.machine, rows, work)  # type: ignore[arg-type]


def _twice(variant: str) -> Sabotage:
    def change(case: SabotageCase, random: Random) -> Program | None:
        flow, program = case.flow, case.program
        # After the last operator of a chip there is room for another.
        last = np.unique(flow.operations.chip[::-1], return_index=True)[1]
        one = len(flow.operations) - 1 - int(random.choice(last))
        if variant != "statements":
            code = program.instructions
            table = flow.operations
            rows = rows_of(program, int(table.operator[one]), int(table.chip[one]))
            again = chosen_rows(code, np.concatenate([np.arange(len(code)), rows]))
            copies = np.arange(len(code), len(again))
            # Directly after the first time.
            begin = code.start_cycle[rows]
            end = int((begin + code.duration_cycles[rows]).max())
            later = begin + end - int(begin.min())
            again = with_rows(again, copies, start_cycle=later)
            program = replace(program, instructions=sorted_code(again))
        if variant != "instructions":
            order = np.insert(np.arange(len(flow.operations)), one, one)
            twice = _repeated(case, order, one)
            program = replace(program, dataflow=twice)
        return program

    return Sabotage("an operator done twice", variant, change)


def _repeated(case: SabotageCase, order: Ints, one: int) -> Dataflow:
    """Return the statements with one operation and its regions twice."""
    flow = case.flow
    tables = {}
    for name in ("reads", "writes"):
        regions = getattr(flow, name)
        own = np.flatnonzero(regions.owner == one)
        moved = with_rows(
            regions,
            np.arange(len(regions)),
            owner=regions.owner + (regions.owner > one),
        )
        end = int(own[-1]) + 1 if len(own) else 0
        rows = np.insert(np.arange(len(regions)), end, own)
        both = chosen_rows(moved, rows)
        tables[name] = with_rows(both, np.arange(end, end + len(own)), owner=one + 1)
    operations = chosen_rows(flow.operations, order)
    return replace(flow, operations=operations, **tables)


def _cheaper(case: SabotageCase, random: Random) -> Program | None:
    """Multiply with half the weights, and read what all of them take."""
    (one,) = _product(case, random).tolist()
    table = case.flow.operations
    rows = rows_of(case.program, int(table.operator[one]), int(table.chip[one]))
    rows = rows[np.argsort(case.program.instructions.start_cycle[rows])][-1:]
    work = case.program.kinds[int(case.program.instructions.kind[rows[0]])].work
    assert isinstance(work, ProductWork)
    half = halved_work(work)
    if not isinstance(half, ProductWork):
        return None
    # Reads and loads stay: a round of fewer weights still reads what it did.
    cut = tiling(case.machine.chip, work.operand_bytes)
    whole = max(1, cut.rounds(work.shape))
    half = half._replace(
        stored_bytes=work.stored_bytes * cut.rounds(half.shape) // whole,
        preloaded_bytes=work.preloaded_bytes,
    )
    return with_work(case.program, case.machine, rows, half)


def _unchained(variant: str) -> Sabotage:
    """Return the sabotage that leaves out what is chained to a product."""

    def change(case: SabotageCase, random: Random) -> Program | None:
        table, program = case.flow.operations, case.program
        shared = table.operator[1:] == table.operator[:-1]
        shared &= table.chip[1:] == table.chip[:-1]
        shared &= table.function[1:] == Function.VECTOR
        if not shared.any():
            return None
        one = int(random.choice(np.flatnonzero(shared))) + 1
        rows = rows_of(program, int(table.operator[one]), int(table.chip[one]))
        work = program.kinds[int(program.instructions.kind[rows[0]])].work
        assert isinstance(work, ProductWork)
        if variant != "statements":
            alone = work._replace(chain=None)
            program = with_work(program, case.machine, rows, alone)
        if variant != "instructions":
            program = without_operations(program, np.array([one]))
        return program

    return Sabotage("a chained operator left out", variant, change)


OPERATION_KINDS = (
    *(_deleted(kind, variant) for kind in _CHOICES for variant in _VARIANTS),
    *(_halved(kind, variant) for kind in _HALVES for variant in _VARIANTS),
    Sabotage("a multiplication halved, not its reads", "instructions", _cheaper),
    *map(_twice, _VARIANTS),
    *map(_unchained, _VARIANTS),
)

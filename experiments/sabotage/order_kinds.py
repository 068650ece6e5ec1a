"""Sabotage of when and where operators work: too early, or on another chip."""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from chip.dataflow import Function
from chip.program import Opcode, Program
from experiments.sabotage.case import Sabotage, SabotageCase
from experiments.sabotage.dataflow_edits import sorted_flow
from experiments.sabotage.operation_kinds import PRODUCTS
from experiments.sabotage.program_edits import (
    computing,
    rows_of,
    sorted_code,
    with_rows,
)

Random = np.random.Generator
_VARIANTS = ("instructions", "statements", "both")
# Functions that follow each other on a chip, the second of which needs the first.
_PAIRS = {
    "two operators in the wrong order": (),
    "a norm before the sum of its input": (Function.ADD, Function.NORM_WEIGH),
    "attention before the new keys": (Function.POSITION, Function.SCORES),
    "an activation before its product": (Function.PRODUCT, Function.ACTIVATE),
    "a softmax before its scores": (Function.SCORES, Function.SOFTMAX),
}


def _pair(
    case: SabotageCase, random: Random, functions: tuple[Function, ...]
) -> tuple[int, int] | None:
    """Return a chip and an operator whose result the next one reads at once."""
    flow, code = case.flow, case.program.instructions
    table, chips = flow.operations, case.program.chips
    own = table.operator.astype(np.int64) * chips + table.chip
    rows = computing(case.program)
    works = np.unique(code.operator[rows].astype(np.int64) * chips + code.chip[rows])
    # Two that do not read each other may be in any order.
    made = own[flow.writes.owner] * len(flow.values) + flow.writes.value
    read = (own[flow.reads.owner] - chips) * len(flow.values) + flow.reads.value
    key = np.intersect1d(made, read) // len(flow.values)
    if functions:
        first, second = (own[table.function == function] for function in functions)
        key = np.intersect1d(key, np.intersect1d(first, second - chips))
    key = np.intersect1d(key, np.intersect1d(works, works - chips))
    if not len(key):
        return None
    operator, chip = divmod(int(random.choice(key)), chips)
    return chip, operator


def _exchanged(kind: str, variant: str) -> Sabotage:
    """Return the sabotage that exchanges two operators that follow each other."""

    def change(case: SabotageCase, random: Random) -> Program | None:
        found = _pair(case, random, _PAIRS[kind])
        if found is None:
            return None
        chip, operator = found
        program, flow = case.program, case.flow
        if variant != "statements":
            program = _exchanged_code(program, chip, operator)
        if variant != "instructions":
            table = flow.operations
            number = table.operator.copy()
            here = table.chip == chip
            number[here & (table.operator == operator)] = operator + 1
            number[here & (table.operator == operator + 1)] = operator
            moved = replace(flow, operations=replace(table, operator=number))
            program = replace(program, dataflow=sorted_flow(moved))
        return program

    return Sabotage(kind, variant, change)


def _exchanged_code(program: Program, chip: int, operator: int) -> Program:
    """Return the program in which a chip does the operator after this one first."""
    code = program.instructions
    first, second = (
        rows_of(program, number, chip) for number in (operator, operator + 1)
    )
    end = code.start_cycle + code.duration_cycles
    earlier = int(code.start_cycle[second].min() - code.start_cycle[first].min())
    later = int(end[second].max() - end[first].max())
    start = code.start_cycle.copy()
    start[second] -= earlier
    start[first] += later
    number = code.operator.copy()
    # Weights that were loaded ahead follow their product.
    here = (code.chip == chip) & np.isin(
        code.opcode, (Opcode.READ, Opcode.MATMUL, Opcode.VECTOR, Opcode.LOAD)
    )
    number[here & (code.operator == operator)] = operator + 1
    number[here & (code.operator == operator + 1)] = operator
    changed = with_rows(code, np.arange(len(code)), start_cycle=start, operator=number)
    return replace(program, instructions=sorted_code(changed))


def _swapped_chips(variant: str) -> Sabotage:
    def change(case: SabotageCase, random: Random) -> Program | None:
        flow, program = case.flow, case.program
        operators, count = np.unique(flow.operations.operator, return_counts=True)
        operator = int(random.choice(operators[count > 1]))
        chips = np.unique(flow.operations.chip[flow.operations.operator == operator])
        if len(chips) == 1:
            return None
        one, other = random.choice(chips, 2, replace=False).tolist()
        swap = np.arange(program.chips)
        swap[[one, other]] = other, one
        code = program.instructions
        if variant != "statements":
            rows = rows_of(program, operator, loads=True)
            code = with_rows(code, rows, chip=swap[code.chip[rows]])
            program = replace(program, instructions=sorted_code(code))
        if variant != "instructions":
            rows = np.flatnonzero(flow.operations.operator == operator)
            chip = swap[flow.operations.chip[rows]]
            moved = replace(
                flow, operations=with_rows(flow.operations, rows, chip=chip)
            )
            program = replace(program, dataflow=sorted_flow(moved))
        return program

    return Sabotage("two chips' operators swapped", variant, change)


def _moved(variant: str) -> Sabotage:
    def change(case: SabotageCase, random: Random) -> Program | None:
        flow, program = case.flow, case.program
        products = np.flatnonzero(np.isin(flow.operations.function, PRODUCTS))
        one = int(random.choice(products))
        others = np.setdiff1d(case.topology.active, flow.operations.chip[one])
        chip = int(random.choice(others))
        table = flow.operations
        numbers = int(table.operator[one]), int(table.chip[one])
        rows = rows_of(program, *numbers, loads=True)
        if variant != "statements":
            code = with_rows(program.instructions, rows, chip=chip)
            program = replace(program, instructions=sorted_code(code))
        if variant != "instructions":
            moved = replace(flow, operations=with_rows(flow.operations, one, chip=chip))
            program = replace(program, dataflow=sorted_flow(moved))
        return program

    return Sabotage("a product on a chip without its weights", variant, change)


def _slices(case: SabotageCase) -> list[tuple[int, int]]:
    """Return operator and chip of products that have another part of them before.

    Both parts are of one operator of the graph, with an exchange between them.
    """
    table = case.flow.operations
    own = np.flatnonzero(table.function == Function.PRODUCT)
    columns = np.array([table.chip[own], table.name[own], table.operator[own]])
    rows = sorted(set(map(tuple, columns.T.tolist())))
    return [
        (operator, chip)
        for (before, named, _), (chip, name, operator) in pairwise(rows)
        if (before, named) == (chip, name)
    ]


def _too_early(case: SabotageCase, random: Random) -> Program | None:
    """Start the later part of a product, with its loads, before the exchange ends."""
    found = _slices(case)
    if not found:
        return None
    operator, chip = found[int(random.integers(len(found)))]
    code = case.program.instructions
    rows = rows_of(case.program, operator, chip, loads=True)
    begin = int(code.start_cycle[rows].min())
    brings = (code.chip == chip) & (code.opcode == Opcode.RECEIVE)
    brings &= (code.operator < operator) & (code.start_cycle < begin)
    if not brings.any():
        return None
    # By no more than the time since the last vector began to arrive.
    most = max(2, begin - int(code.start_cycle[brings].max()))
    start = code.start_cycle[rows] - int(random.integers(1, most))
    code = sorted_code(with_rows(code, rows, start_cycle=start))
    return replace(case.program, instructions=code)


def _late_before_sent(case: SabotageCase, random: Random) -> Program | None:
    """Make the columns that a chip keeps first, and then those that it sends."""
    table, code = case.flow.operations, case.program.instructions
    for operator, chip in random.permutation(_slices(case)).tolist():
        named = table.name[(table.operator == operator) & (table.chip == chip)][0]
        alike = (table.chip == chip) & (table.name == named)
        first = int(table.operator[alike & (table.operator < operator)].max())
        if not (case.flow.messages.operator == first + 1).any():
            continue
        pair = {first: operator, operator: first}
        number = table.operator.copy()
        numbers = code.operator.copy()
        here = (code.chip == chip) & (code.train < 0)
        for old, new in pair.items():
            number[alike & (table.operator == old)] = new
            numbers[here & (code.operator == old)] = new
        flow = replace(case.flow, operations=replace(table, operator=number))
        code = sorted_code(with_rows(code, np.arange(len(code)), operator=numbers))
        return replace(case.program, instructions=code, dataflow=sorted_flow(flow))
    return None


def _lost(case: SabotageCase, random: Random) -> Program | None:
    """State that the later part of a product multiplies what the first one does."""
    found = _slices(case)
    if not found:
        return None
    operator, chip = found[int(random.integers(len(found)))]
    table, reads = case.flow.operations, case.flow.reads
    own = np.flatnonzero((table.operator == operator) & (table.chip == chip))
    rows = np.flatnonzero(np.isin(reads.owner, own))
    row = int(random.choice(rows))
    width = int(reads.last[row] - reads.first[row])
    moved = {
        "first": np.int32(reads.first[row] + width),
        "last": np.int32(reads.last[row] + width),
    }
    flow = replace(case.flow, reads=with_rows(reads, row, **moved))
    return replace(case.program, dataflow=flow)


ORDER_KINDS = (
    *(_exchanged(kind, variant) for kind in _PAIRS for variant in _VARIANTS),
    *map(_swapped_chips, _VARIANTS),
    *map(_moved, _VARIANTS),
    # Products that run beside exchanges.
    Sabotage("a product before what an exchange brings", "instructions", _too_early),
    Sabotage("a product's kept columns before those sent", "both", _late_before_sent),
    Sabotage("another slice of a product read", "statements", _lost),
)

"""Edits of a program's instructions and trains, for sabotage."""

from dataclasses import fields, replace
from typing import Any, TypeVar

import numpy as np

from chip.program import Instructions, Opcode, Program, instructions_of
from specs.arrays import Ints

COMPUTING = (Opcode.READ, Opcode.MATMUL, Opcode.VECTOR)
_WITH_LOADS = (*COMPUTING, Opcode.LOAD)
Table = TypeVar("Table")


def columns_of(table: object) -> dict[str, Ints]:
    """Return copies of a table's array columns by name, for sabotage."""
    return {
        name: np.array(getattr(table, name))
        for name in table.__slots__  # type: ignore[attr-defined]
        if isinstance(getattr(table, name), np.ndarray)
    }


def with_rows(table: Table, rows: Ints | int, **values: Any) -> Table:
    """Return a sabotaged table with columns of some rows set to values."""
    columns = columns_of(table)
    for name, value in values.items():
        columns[name][rows] = value
    return replace(table, **{name: columns[name] for name in values})  # type: ignore[type-var]


def chosen_rows(table: Table, rows: Ints) -> Table:
    """Return some rows of a table, in the order given, for sabotage."""
    columns = columns_of(table)
    return replace(table, **{name: each[rows] for name, each in columns.items()})  # type: ignore[type-var]


def sorted_code(code: Instructions) -> Instructions:
    """Return sabotaged instructions in the order of chips and start cycles."""
    assert {field.name for field in fields(code)} == set(columns_of(code))
    return instructions_of(columns_of(code))


def with_code(program: Program, code: Instructions) -> Program:
    """Return a sabotaged program with other instructions."""
    return replace(program, instructions=sorted_code(code))


def computing(program: Program) -> Ints:
    """Return the instructions that compute, as rows for sabotage."""
    return np.flatnonzero(np.isin(program.instructions.opcode, COMPUTING))


def rows_of(
    program: Program, operator: int, chip: int | None = None, *, loads: bool = False
) -> Ints:
    """Return the computing instructions of an operator, on one chip or all.

    Parameters
    ----------
    program, operator, chip
        Of which operator; on all chips if `chip` is None.
    loads
        Whether to return what is loaded ahead of it, too, for sabotage of both.
    """
    code = program.instructions
    rows = np.flatnonzero(np.isin(code.opcode, _WITH_LOADS if loads else COMPUTING))
    own = code.operator[rows] == operator
    if chip is not None:
        own &= code.chip[rows] == chip
    found: Ints = rows[own]
    return found


def routes_of(program: Program) -> Ints:
    """Return the first train of each train's route, to sabotage all hops of one."""
    previous = program.trains.previous.astype(np.int64)
    first = np.arange(len(previous))
    while (previous[first] >= 0).any():
        first = np.where(previous[first] >= 0, previous[first], first)
    return first


def without_trains(program: Program, trains: Ints) -> Program:
    """Return a sabotaged program without some trains and their instructions.

    The messages of a dataflow stay, and lack their trains.
    """
    kept = np.setdiff1d(np.arange(len(program.trains)), trains)
    place = np.full(len(program.trains) + 1, -1)
    place[kept] = np.arange(len(kept))
    code = program.instructions
    rows = np.flatnonzero((code.train < 0) | (place[code.train] >= 0))
    code = chosen_rows(code, rows)
    code = replace(code, train=place[code.train].astype(np.int32))
    table = chosen_rows(program.trains, kept)
    table = replace(table, previous=place[table.previous].astype(np.int32))
    flow = program.dataflow
    if flow is not None:
        flow = replace(flow, train_message=flow.train_message[kept])
    return replace(program, instructions=code, trains=table, dataflow=flow)


def moved_train(program: Program, train: int, cycles: int) -> Program:
    """Return a sabotaged program with a train sent and received earlier or later."""
    trains = program.trains
    table = with_rows(
        trains,
        train,
        wire_cycle=trains.wire_cycle[train] + cycles,
        receive_cycle=trains.receive_cycle[train] + cycles,
    )
    code = program.instructions
    rows = np.flatnonzero(code.train == train)
    code = with_rows(code, rows, start_cycle=code.start_cycle[rows] + cycles)
    return replace(program, trains=table, instructions=sorted_code(code))


def with_vectors(program: Program, first: int, vectors: int) -> Program:
    """Return a sabotaged program in which all hops of a route carry other vectors.

    The time on the links becomes as long as the vectors take, at most what it was.
    """
    trains, code = program.trains, program.instructions
    hops = np.flatnonzero(routes_of(program) == first)
    before = int(trains.vectors[first])
    rows = np.flatnonzero(np.isin(code.train, hops))
    takes = -(-code.duration_cycles[rows] * vectors // before)
    return replace(
        program,
        trains=with_rows(trains, hops, vectors=vectors),
        instructions=with_rows(code, rows, duration_cycles=takes),
    )

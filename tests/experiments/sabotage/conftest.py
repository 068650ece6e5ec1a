"""Small programs to sabotage: one of eleven instructions, and those that are proven."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from chip.dataflow import (
    Dataflow,
    Function,
    Messages,
    Operations,
    Pass,
    Regions,
    Value,
)
from chip.operator_work import LoadWork, ProductWork, Shape, VectorWork
from chip.program import (
    Deskews,
    Opcode,
    OperatorKind,
    Program,
    Resident,
    Slice,
    Trains,
    instructions_of,
)
from experiments.sabotage.case import Sabotage, SabotageCase
from experiments.sabotage.kinds import KINDS
from experiments.sabotage.program_edits import columns_of
from experiments.sabotage.schedules import quick_schedules

Cases = Mapping[str, SabotageCase]
Row = dict[str, int]
MEM, MXM, VXM, OUT, IN = Slice.MEM, Slice.MXM, Slice.VXM, Slice.C2C_OUT, Slice.C2C_IN
# Chip, slice, port, opcode, start, cycles, train, operator, kind.
INSTRUCTIONS = (
    (0, Slice.ICU, -1, Opcode.MARK, 0, 0, -1, -1, -1),
    (0, MEM, -1, Opcode.READ, 10, 3, -1, 0, 0),
    (0, MXM, -1, Opcode.MATMUL, 10, 5, -1, 0, 0),
    (0, MEM, -1, Opcode.LOAD, 13, 1, -1, 2, 1),
    (0, OUT, 0, Opcode.SEND, 20, 4, 0, 1, -1),
    (0, OUT, 1, Opcode.SEND, 20, 8, 1, 1, -1),
    (1, OUT, 1, Opcode.FORWARD, 40, 8, 2, 1, -1),
    (1, IN, 0, Opcode.RECEIVE, 45, 4, 0, 1, -1),
    (1, VXM, -1, Opcode.VECTOR, 60, 6, -1, 2, 2),
    (2, IN, 0, Opcode.RECEIVE, 61, 8, 2, 1, -1),
    (2, VXM, -1, Opcode.VECTOR, 80, 6, -1, 2, 2),
)
COLUMNS = (
    *("chip", "slice", "port", "opcode", "start_cycle", "duration_cycles"),
    *("train", "operator", "kind"),
)


def regions(*rows: tuple[int, int, int, int]) -> Regions:
    """Return regions of one part: owner, value and range of columns of each."""
    owner, value, first, last = np.array(rows, dtype=np.int32).T
    none = np.zeros(len(rows), dtype=np.int32)
    return Regions(
        owner=owner,
        value=value,
        first=first,
        last=last,
        part_first=none,
        part_last=none + 1,
        array=none,
    )


def ints(*numbers: int) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    return np.array(numbers, dtype=np.int32)


def dataflow() -> Dataflow:
    """Return a product on chip 0, whose result chips 1 and 2 add to what they have."""
    return Dataflow(
        values=(
            Value("x", 0),
            Value("w.weight", -1),
            Value("y.partial", 0),
            Value("y", 0),
            Value("y.partial@half", 0),
        ),
        names=("product", "add"),
        passes=(Pass(1, 1, 1, 1),),
        operations=Operations(
            operator=ints(0, 2, 2),
            chip=ints(0, 1, 2),
            name=ints(0, 1, 1),
            number=ints(0, 0, 0),
            function=np.array(
                [Function.PRODUCT, Function.ADD, Function.ADD], dtype=np.int8
            ),
        ),
        reads=regions(
            (0, 0, 0, 8), (0, 1, 0, 8), (1, 2, 0, 7), (2, 2, 3, 4), (2, 4, 4, 8)
        ),
        writes=regions((0, 2, 0, 8), (1, 3, 0, 7), (2, 3, 3, 8)),
        messages=Messages(
            operator=ints(1, 1),
            source=ints(0, 0),
            target=ints(1, 2),
            payload_bytes=np.array([4 * 320, 8 * 320]),
        ),
        carried=regions((0, 2, 0, 7), (1, 2, 3, 8)),
        train_message=ints(0, 1, 1),
    )


@pytest.fixture
def by_hand() -> Program:
    """Return the program of `INSTRUCTIONS` on three chips.

    Four vectors go from chip 0 to chip 1 as train 0; eight go to chip 2 by way of
    chip 1, as trains 1 and 2.
    """
    columns = np.array(INSTRUCTIONS, dtype=np.int64).T
    none = np.zeros(3, dtype=np.int64)
    works = (
        ProductWork(Shape((8,), (8,)), 1, 64, 1, 8, 8),
        LoadWork(1, 40, 64),
        VectorWork(320 * 6, 16, operands=2),
    )
    return Program(
        chips=3,
        instructions=instructions_of(dict(zip(COLUMNS, columns, strict=True))),
        trains=Trains(
            link=ints(0, 1, 5),
            vectors=ints(4, 8, 8),
            wire_cycle=np.array([20, 20, 40]),
            receive_cycle=np.array([45, 40, 61]),
            previous=ints(-1, -1, 1),
        ),
        kinds=tuple(OperatorKind(work, ()) for work in works),
        resident=Resident(none, none, none, none),
        deskews=Deskews(
            chip=ints(), start_cycle=none[:0], stall_cycles=1, interval_cycles=0
        ),
        period_cycles=90,
        token_cycles=90,
        sequences=1,
        interval_cycles=90,
        leader=0,
        guard_cycles=0,
        dataflow=dataflow(),
    )


@pytest.fixture(scope="session")
def cases() -> Cases:
    """Return the proven programs that compile in a moment, by name."""
    return {case.name: case for case in quick_schedules()}


@pytest.fixture(scope="session")
def sabotage() -> Callable[[str, str], Sabotage]:
    """Find the sabotage of a kind and a variant."""

    def find(kind: str, variant: str) -> Sabotage:
        (found,) = [
            each for each in KINDS if (each.kind, each.variant) == (kind, variant)
        ]
        return found

    return find


@pytest.fixture(scope="session")
def draw(cases: Cases, sabotage: Callable[[str, str], Sabotage]) -> Callable[..., Any]:
    """Draw a sabotage of a program by the name of its case; fail if there is none."""

    def made(name: str, kind: str, variant: str, seed: int = 1) -> Program:
        change = sabotage(kind, variant).change
        program = change(cases[name], np.random.default_rng(seed))
        assert program is not None
        return program

    return made


@pytest.fixture(scope="session")
def lost_and_new() -> Callable[[object, object], tuple[list[Row], list[Row]]]:
    """Return the rows of a table that another lacks, and those that only it has."""

    def differ(before: object, after: object) -> tuple[list[Row], list[Row]]:
        counts = []
        for table in (before, after):
            columns = columns_of(table)
            rows = zip(*(each.tolist() for each in columns.values()), strict=True)
            counts.append(Counter(rows))
        names = columns_of(before).keys()
        lost, new = counts[0] - counts[1], counts[1] - counts[0]
        return (
            [dict(zip(names, row, strict=True)) for row in sorted(lost.elements())],
            [dict(zip(names, row, strict=True)) for row in sorted(new.elements())],
        )

    return differ

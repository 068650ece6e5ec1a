from dataclasses import fields

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from chip.program import (
    Deskews,
    Instructions,
    Program,
    Resident,
    Trains,
    instructions_of,
)

NAMES = [field.name for field in fields(Instructions)]
ORDER = ["chip", "start_cycle", "slice", "port"]
rows = st.lists(st.tuples(*[st.integers(0, 3)] * len(NAMES)), max_size=30)


def columns(table: list[tuple[int, ...]]) -> dict[str, NDArray[np.int64]]:
    array = np.array(table, dtype=np.int64).reshape(-1, len(NAMES))
    return dict(zip(NAMES, array.T, strict=True))


def table_of(instructions: Instructions) -> list[tuple[int, ...]]:
    parts = [getattr(instructions, name).tolist() for name in NAMES]
    return list(zip(*parts, strict=True))


@given(table=rows)
def test_instructions_are_sorted_by_chip_and_then_by_time(
    table: list[tuple[int, ...]],
) -> None:
    instructions = instructions_of(columns(table))
    parts = [getattr(instructions, name).tolist() for name in ORDER]
    keys = list(zip(*parts, strict=True))
    assert keys == sorted(keys)


@given(table=rows)
def test_sorting_loses_no_instruction_and_mixes_none(
    table: list[tuple[int, ...]],
) -> None:
    instructions = instructions_of(columns(table))
    assert len(instructions) == len(table)
    assert sorted(table_of(instructions)) == sorted(table)


def test_cycles_keep_64_bits_and_ports_their_sign() -> None:
    row = columns([tuple(range(len(NAMES)))])
    row["start_cycle"][:] = 2**40
    row["port"][:] = -1
    instructions = instructions_of(row)
    assert instructions.start_cycle.tolist() == [2**40]
    assert instructions.port.tolist() == [-1]


def test_a_table_is_as_long_as_its_rows() -> None:
    five = np.zeros(5, dtype=np.int64)
    small = five.astype(np.int32)
    trains = Trains(
        link=small, vectors=small, wire_cycle=five, receive_cycle=five, previous=small
    )
    deskews = Deskews(chip=small, start_cycle=five, stall_cycles=252, interval_cycles=9)
    assert (len(trains), len(deskews)) == (5, 5)


def test_a_sequence_waits_from_the_end_of_its_token_to_the_end_of_the_period() -> None:
    none = np.zeros(0, dtype=np.int64)
    small = none.astype(np.int32)
    program = Program(
        chips=1,
        instructions=instructions_of(columns([])),
        trains=Trains(
            link=small,
            vectors=small,
            wire_cycle=none,
            receive_cycle=none,
            previous=small,
        ),
        kinds=(),
        resident=Resident(*np.ones((4, 1), dtype=np.int64)),
        deskews=Deskews(
            chip=small, start_cycle=none, stall_cycles=252, interval_cycles=9
        ),
        period_cycles=100,
        token_cycles=70,
        sequences=1,
        interval_cycles=0,
        leader=0,
        guard_cycles=4,
    )
    assert program.turn_cycles == 30

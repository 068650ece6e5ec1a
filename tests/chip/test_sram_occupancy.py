import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from chip.operator_work import VectorWork
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
from chip.sram_occupancy import (
    Changes,
    activation_changes,
    held_over_time,
    repeated,
)
from specs.machine import load_machine

MACHINE = load_machine()
COLUMNS = ["chip", "slice", "opcode", "start_cycle", "duration_cycles", "train"]
Row = tuple[int, int, int]


def program_of(
    rows: list[tuple[int, ...]],
    *,
    kinds: tuple[VectorWork, ...] = (),
    trains: tuple[Row, ...] = (),
    sequences: int = 1,
) -> Program:
    """A program of rows, each an operator of its own, and the last columns as given.

    A row has the columns named above, then its kind; a train has its vectors, the cycle
    at which it is received, and the train before.
    """
    table = np.array(rows, dtype=np.int64).reshape(-1, 7).T
    columns = dict(zip([*COLUMNS, "kind"], table, strict=True))
    columns["port"] = np.full(len(rows), -1)
    columns["operator"] = np.arange(len(rows))
    vectors, receive, previous = np.array(trains, dtype=np.int64).reshape(-1, 3).T
    none = np.zeros(0, dtype=np.int64)
    return Program(
        chips=2,
        instructions=instructions_of(columns),
        trains=Trains(
            link=np.zeros(len(trains), dtype=np.int32),
            vectors=vectors.astype(np.int32),
            wire_cycle=np.zeros(len(trains), dtype=np.int64),
            receive_cycle=receive,
            previous=previous.astype(np.int32),
        ),
        kinds=tuple(OperatorKind(work, ()) for work in kinds),
        resident=Resident(*np.zeros((4, 2), dtype=np.int64)),
        deskews=Deskews(
            chip=none.astype(np.int32),
            start_cycle=none,
            stall_cycles=0,
            interval_cycles=0,
        ),
        period_cycles=100,
        token_cycles=60,
        sequences=sequences,
        interval_cycles=40,
        leader=0,
        guard_cycles=0,
    )


def rows_of(changes: Changes) -> list[Row]:
    """Return the changes in the order of chips and cycles."""
    return sorted(zip(*(column.tolist() for column in changes), strict=True))


def vector(chip: int, start: int, cycles: int, kind: int) -> tuple[int, ...]:
    return chip, Slice.VXM, Opcode.VECTOR, start, cycles, -1, kind


def test_a_result_stays_until_its_last_reader_has_ended() -> None:
    read_by = [VectorWork(100, 8, readers=readers) for readers in (2, 1)]
    program = program_of(
        [vector(0, 0, 10, 0), vector(0, 10, 5, 1), vector(0, 20, 7, 1)],
        kinds=tuple(read_by),
    )
    assert rows_of(activation_changes(program, MACHINE)) == [
        (0, 0, 100),
        (0, 10, 100),
        (0, 20, 100),
        # All three end with the last operator, which nothing follows.
        (0, 27, -100),
        (0, 27, -100),
        (0, 27, -100),
    ]


def test_a_result_with_a_place_of_its_own_is_no_activation() -> None:
    program = program_of([vector(0, 0, 10, 0)], kinds=(VectorWork(100, 8, readers=0),))
    assert rows_of(activation_changes(program, MACHINE)) == []


def test_a_forwarded_train_stays_until_it_is_on_the_wire() -> None:
    program = program_of(
        [(1, Slice.C2C_OUT, Opcode.FORWARD, 30, 12, 1, -1)],
        trains=((3, 25, -1), (3, 90, 0)),
    )
    size = 3 * MACHINE.link.vector_bytes
    assert rows_of(activation_changes(program, MACHINE)) == [
        (1, 25, size),
        (1, 42, -size),
    ]


def test_each_sequence_repeats_the_changes_of_the_period_and_the_one_before() -> None:
    once = Changes(np.array([1]), np.array([5]), np.array([8]))
    program = program_of([], sequences=2)
    assert rows_of(repeated(once, program)) == [
        (1, 5 - 100, 8),
        (1, 5 - 60, 8),
        (1, 5, 8),
        (1, 5 + 40, 8),
    ]
    assert repeated(once, program_of([])) is once


def test_what_is_freed_in_a_cycle_makes_room_for_what_comes() -> None:
    changes = Changes(
        np.array([1, 0, 0, 0, 0, 1]),
        np.array([2, 3, 3, 0, 9, 4]),
        np.array([50, 10, -20, 20, -10, -50]),
    )
    assert rows_of(held_over_time(changes)) == [
        (0, 0, 20),
        (0, 3, 10),
        (0, 9, 0),
        (1, 2, 50),
        (1, 4, 0),
    ]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),
            st.integers(0, 50),
            st.integers(1, 20),
            st.integers(1, 99),
        )
    )
)
def test_the_occupancy_is_the_sum_of_what_is_live(
    lives: list[tuple[int, int, int, int]],
) -> None:
    table = np.array(
        [
            row
            for chip, start, cycles, size in lives
            for row in ((chip, start, size), (chip, start + cycles, -size))
        ],
        dtype=np.int64,
    ).reshape(-1, 3)
    for chip, cycle, held in rows_of(held_over_time(Changes(*table.T))):
        live = [
            size
            for at, start, cycles, size in lives
            if at == chip and start <= cycle < start + cycles
        ]
        assert held == sum(live)

import numpy as np
import pytest

from fabric.functional_engine.memory import Absent, ChipMemory, Piece, joined
from fabric.functional_engine.regions import Region


def piece(first: int, last: int, parts: int, number: float, since: int = 0) -> Piece:
    return Piece(first, last, parts, np.full((1, last - first), number), since)


def read(memory: ChipMemory, region: Region, cycle: int = 0) -> list[float]:
    found = memory.find(region, cycle)
    assert not isinstance(found, Absent), str(found)
    numbers: list[float] = joined(found)[0].tolist()
    return numbers


@pytest.fixture
def memory() -> ChipMemory:
    return ChipMemory()


def test_pieces_lie_side_by_side(memory: ChipMemory) -> None:
    memory.write(0, piece(2, 4, 1, 5))
    memory.write(0, piece(0, 2, 1, 3))
    assert read(memory, Region(0, 1, 4, 1)) == [3, 5, 5]


def test_parts_of_the_same_columns_are_added(memory: ChipMemory) -> None:
    memory.write(0, piece(0, 3, 0b01, 10))
    memory.write(0, piece(1, 3, 0b10, 1))
    assert read(memory, Region(0, 1, 3, 0b11)) == [11, 11]
    assert read(memory, Region(0, 0, 3, 0b01)) == [10, 10, 10]


def test_a_sum_is_not_taken_apart(memory: ChipMemory) -> None:
    memory.write(0, piece(0, 1, 0b11, 7))
    missing = memory.find(Region(0, 0, 1, 0b01), 0)
    assert missing == Absent(0, 1, 0b01, None)


def test_what_came_twice_counts_once(memory: ChipMemory) -> None:
    memory.write(0, piece(0, 2, 0b1, 7))
    memory.write(0, piece(0, 2, 0b1, 7, since=3))
    assert read(memory, Region(0, 0, 2, 0b1), 5) == [7, 7]


def test_a_missing_column_is_named(memory: ChipMemory) -> None:
    memory.write(0, piece(0, 2, 0b1, 7))
    missing = memory.find(Region(0, 0, 4, 0b1), 0)
    assert str(missing) == "columns 2-3, parts 0"


def test_what_is_not_there_yet_is_missing_and_its_cycle_is_named(
    memory: ChipMemory,
) -> None:
    memory.write(0, piece(0, 2, 0b1, 7, since=40))
    missing = memory.find(Region(0, 0, 2, 0b1), 39)
    assert str(missing) == "columns 0-1, parts 0 (there from cycle 40)"
    assert read(memory, Region(0, 0, 2, 0b1), 40) == [7, 7]


def test_another_value_is_no_help(memory: ChipMemory) -> None:
    memory.write(1, piece(0, 2, 0b1, 7))
    assert memory.holds(1)
    assert not memory.holds(0)
    assert isinstance(memory.find(Region(0, 0, 2, 0b1), 0), Absent)

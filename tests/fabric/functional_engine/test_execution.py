"""Execution of events one by one: a product, a message, and a sum on another chip."""

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
from fabric.functional_engine.caches import KeyValueCaches
from fabric.functional_engine.events import Event
from fabric.functional_engine.execution import Execution
from fabric.functional_engine.memory import Piece
from specs.errors import SpecError, VerificationError

X, W, Y, SUM = Value("x", 0), Value("w", -1), Value("y", 0), Value("sum", 0)
WEIGHTS = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
PRODUCT, SENT, ADDED = (
    Event(0, 10, is_message=False, number=0),
    Event(10, 30, is_message=True, number=0),
    Event(30, 40, is_message=False, number=1),
)


def ints(*numbers: int) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    return np.array(numbers, dtype=np.int32)


def regions(*rows: tuple[int, int, int, int, int, int]) -> Regions:
    """Return regions: owner, value, range of columns, and range of parts of each."""
    owner, value, first, last, part_first, part_last = np.array(rows, dtype=np.int32).T
    return Regions(
        owner=owner,
        value=value,
        first=first,
        last=last,
        part_first=part_first,
        part_last=part_last,
        array=np.zeros_like(owner),
    )


# Chip 0 multiplies with rows 1 and 2 of the weights; chip 1 adds its own part of y.
FLOW = Dataflow(
    values=(X, W, Y, SUM),
    names=("multiply", "add"),
    passes=(Pass(1, 1, 1, 1),),
    operations=Operations(
        operator=ints(0, 2),
        chip=ints(0, 1),
        name=ints(0, 1),
        number=ints(0, 0),
        function=np.array([Function.PRODUCT, Function.ADD], dtype=np.int8),
    ),
    reads=regions((0, 0, 0, 2, 0, 1), (0, 1, 1, 3, 0, 2), (1, 2, 1, 3, 0, 2)),
    writes=regions((0, 2, 1, 3, 0, 1), (1, 3, 1, 3, 0, 1)),
    messages=Messages(
        operator=ints(1), source=ints(0), target=ints(1), payload_bytes=np.array([4])
    ),
    carried=regions((0, 2, 1, 3, 0, 1)),
    train_message=ints(0),
)


@pytest.fixture
def execution() -> Execution:
    made = Execution(FLOW, {"w": WEIGHTS}, {}, KeyValueCaches(), np.dtype(np.float64))
    made.place({X: {0: np.array([[1.0, 10.0]])}})
    made.keep({Y: {1: [Piece(1, 3, 0b10, np.array([[100.0, 200.0]]), 7)]}})
    return made


def held(execution: Execution, chip: int, value: int) -> list[list[float]]:
    pieces = execution.memories[chip].pieces(value)
    return sorted(piece.array[0].tolist() for piece in pieces)


def test_a_chip_multiplies_sends_and_another_adds_what_it_had(
    execution: Execution,
) -> None:
    execution.step(PRODUCT)
    # [1, 10] by rows [3, 4] and [5, 6].
    assert held(execution, 0, 2) == [[43, 65]]
    execution.step(SENT)
    assert held(execution, 1, 2) == [[43, 65], [100, 200]]
    execution.step(ADDED)
    assert held(execution, 1, 3) == [[143, 265]]
    (made,) = execution.memories[1].pieces(3)
    assert (made.first, made.last, made.parts, made.since) == (1, 3, 1, 40)


def test_a_message_that_leaves_before_its_content_is_there_is_refused(
    execution: Execution,
) -> None:
    execution.step(PRODUCT)
    early = SENT._replace(cycle=9)
    with pytest.raises(
        VerificationError, match=r"carries y, but at cycle 9 chip 0 lac"
    ):
        execution.step(early)


def test_an_operation_that_starts_before_a_message_came_is_refused(
    execution: Execution,
) -> None:
    execution.step(PRODUCT)
    execution.step(SENT)
    early = ADDED._replace(cycle=29)
    with pytest.raises(
        VerificationError, match=r"add on chip 1 \(operator 2\) reads y"
    ):
        execution.step(early)


def test_what_was_placed_or_kept_is_there_from_the_start_and_no_more(
    execution: Execution,
) -> None:
    (kept,) = execution.memories[1].pieces(2)
    # It was made at cycle 7 of another program.
    assert kept.since == 0
    execution.place({Value("unknown", 0): {0: np.zeros((1, 1))}})
    execution.keep({Value("unknown", 0): {0: [kept]}})
    assert held(execution, 0, 0) == [[1, 10]]
    assert not execution.memories[0].holds(2)


def test_a_weight_that_was_not_given_is_named() -> None:
    bare = Execution(FLOW, {}, {}, KeyValueCaches(), np.dtype(np.float64))
    bare.place({X: {0: np.array([[1.0, 10.0]])}})
    with pytest.raises(SpecError, match="multiply reads w, which is not given"):
        bare.step(PRODUCT)

"""Edits of what a program states: what is changed, and that all else stays."""

from dataclasses import replace

import numpy as np
import pytest

from chip.dataflow import Dataflow, Function, Regions
from chip.program import Program
from experiments.sabotage.dataflow_edits import (
    chosen_operations,
    halved,
    renumbered,
    sorted_flow,
    values_like,
    with_flow,
    without_messages,
    without_operations,
    without_regions,
)
from experiments.sabotage.program_edits import with_rows

Row = tuple[int, int, int, int]


@pytest.fixture
def flow(by_hand: Program) -> Dataflow:
    assert by_hand.dataflow is not None
    return by_hand.dataflow


def rows(regions: Regions) -> list[Row]:
    """Return owner, value and range of columns of each region."""
    columns = (regions.owner, regions.value, regions.first, regions.last)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_tables_are_replaced_by_name_and_instructions_stay(by_hand: Program) -> None:
    made = with_flow(by_hand, names=("other", "add"))
    assert made.dataflow is not None
    assert by_hand.dataflow is not None
    assert made.dataflow.names == ("other", "add")
    assert made.dataflow.values is by_hand.dataflow.values
    assert made.instructions is by_hand.instructions


def test_regions_follow_their_owners_and_those_of_others_are_gone(
    flow: Dataflow,
) -> None:
    made = renumbered(flow.reads, np.array([2, 0]))
    # Owner 2 comes first, with its regions in the order that they had.
    assert rows(made) == [(0, 2, 3, 4), (0, 4, 4, 8), (1, 0, 0, 8), (1, 1, 0, 8)]
    assert made.owner.dtype == np.int32
    assert rows(renumbered(flow.reads, np.zeros(0, dtype=np.int64))) == []


def test_an_operation_is_chosen_with_what_it_reads_and_writes(flow: Dataflow) -> None:
    made = chosen_operations(flow, np.array([2, 1]))
    assert made.operations.chip.tolist() == [2, 1]
    assert rows(made.reads) == [(0, 2, 3, 4), (0, 4, 4, 8), (1, 2, 0, 7)]
    assert rows(made.writes) == [(0, 3, 3, 8), (1, 3, 0, 7)]
    assert made.messages is flow.messages


def test_operations_are_put_in_the_order_of_operators_then_chips(
    flow: Dataflow,
) -> None:
    turned = chosen_operations(flow, np.array([2, 1, 0]))
    # The product is on the chip with the highest number.
    turned = replace(turned, operations=with_rows(turned.operations, 2, chip=3))
    made = sorted_flow(turned)
    assert made.operations.operator.tolist() == [0, 2, 2]
    assert made.operations.chip.tolist() == [3, 1, 2]
    assert rows(made.reads) == rows(flow.reads)
    assert rows(made.writes) == rows(flow.writes)


def test_nothing_is_stated_of_an_operation_that_is_left_out(by_hand: Program) -> None:
    made = without_operations(by_hand, np.array([1]))
    assert made.dataflow is not None
    assert made.dataflow.operations.chip.tolist() == [0, 2]
    function = [Function.PRODUCT, Function.ADD]
    assert made.dataflow.operations.function.tolist() == function
    assert rows(made.dataflow.writes) == [(0, 2, 0, 8), (1, 3, 3, 8)]
    # Its instruction is still there.
    assert made.instructions is by_hand.instructions


def test_a_message_goes_with_all_its_trains_and_what_it_carries(
    by_hand: Program,
) -> None:
    made = without_messages(by_hand, np.array([0]))
    assert made.dataflow is not None
    assert made.dataflow.messages.target.tolist() == [2]
    assert rows(made.dataflow.carried) == [(0, 2, 3, 8)]
    assert made.dataflow.train_message.tolist() == [0, 0]
    assert made.trains.link.tolist() == [1, 5]
    # What chip 0 sends on port 0 and chip 1 receives.
    assert len(made.instructions) == len(by_hand.instructions) - 2
    none = without_messages(by_hand, np.array([0, 1]))
    assert len(none.trains) == 0
    assert none.instructions.train.max() == -1


def test_regions_are_left_out_by_their_rows(flow: Dataflow) -> None:
    made = without_regions(flow.reads, np.array([3, 0]))
    assert rows(made) == [(0, 1, 0, 8), (1, 2, 0, 7), (2, 4, 4, 8)]


def test_half_of_the_columns_are_left_and_one_at_least(flow: Dataflow) -> None:
    made = halved(flow.reads, np.array([2, 3, 4]))
    assert rows(made) == [
        *((0, 0, 0, 8), (0, 1, 0, 8)),
        # Of seven, of one and of four columns.
        *((1, 2, 0, 3), (2, 2, 3, 4), (2, 4, 4, 6)),
    ]


def test_values_are_found_by_the_end_of_their_names_before_an_at_sign(
    flow: Dataflow,
) -> None:
    assert values_like(flow, ".partial").tolist() == [2, 4]
    assert values_like(flow, ".weight", "x").tolist() == [0, 1]
    assert values_like(flow, "half").tolist() == []
    assert values_like(replace(flow, values=()), "x").dtype == np.int64

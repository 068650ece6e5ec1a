"""Edits of instructions and trains: what is changed, and that all else stays."""

from dataclasses import replace

import numpy as np
import pytest

from chip.program import Deskews, Instructions, Program, Trains
from experiments.sabotage.program_edits import (
    chosen_rows,
    columns_of,
    computing,
    moved_train,
    routes_of,
    rows_of,
    sorted_code,
    with_code,
    with_rows,
    with_vectors,
    without_trains,
)


def lists(table: Instructions | Trains) -> dict[str, list[int]]:
    return {name: column.tolist() for name, column in columns_of(table).items()}


def changed(
    table: Instructions | Trains, other: Instructions | Trains
) -> dict[str, list[int]]:
    """Return the rows of which a column differs, by its name."""
    pairs = (
        (name, column, lists(other)[name]) for name, column in lists(table).items()
    )
    rows = {
        name: [
            n for n, both in enumerate(zip(one, two, strict=True)) if len({*both}) > 1
        ]
        for name, one, two in pairs
    }
    return {name: own for name, own in rows.items() if own}


def test_columns_are_copies_and_numbers_of_the_whole_table_are_none(
    by_hand: Program,
) -> None:
    columns = columns_of(by_hand.trains)
    assert [*columns] == [
        *("link", "vectors", "wire_cycle", "receive_cycle", "previous")
    ]
    columns["vectors"][0] = 99
    assert by_hand.trains.vectors.tolist() == [4, 8, 8]
    deskews = Deskews(
        chip=np.zeros(1, dtype=np.int32),
        start_cycle=np.zeros(1, dtype=np.int64),
        stall_cycles=252,
        interval_cycles=9,
    )
    assert columns_of(deskews).keys() == {"chip", "start_cycle"}


def test_only_the_columns_and_rows_that_are_named_are_set(by_hand: Program) -> None:
    trains = by_hand.trains
    made = with_rows(trains, np.array([0, 2]), vectors=[3, 5], link=7)
    assert made.vectors.tolist() == [3, 8, 5]
    assert made.link.tolist() == [7, 1, 7]
    assert changed(trains, made) == {"link": [0, 2], "vectors": [0, 2]}


def test_rows_are_chosen_in_the_order_given(by_hand: Program) -> None:
    made = chosen_rows(by_hand.trains, np.array([2, 0, 2]))
    assert made.link.tolist() == [5, 0, 5]
    assert made.wire_cycle.tolist() == [40, 20, 40]


def test_instructions_are_put_in_the_order_of_chips_and_cycles(
    by_hand: Program,
) -> None:
    code = by_hand.instructions
    turned = chosen_rows(code, np.arange(len(code))[::-1])
    assert changed(code, turned)
    assert changed(code, sorted_code(turned)) == {}
    later = with_rows(turned, 10, start_cycle=50)
    made = with_code(by_hand, later)
    # The mark, which was the first of chip 0, is now the last.
    assert made.instructions.opcode[:6].tolist() == [0, 1, 7, 3, 3, 6]
    assert (made.trains, made.dataflow) == (by_hand.trains, by_hand.dataflow)


def test_loads_and_what_links_do_is_no_computing(by_hand: Program) -> None:
    assert computing(by_hand).tolist() == [1, 2, 8, 10]


def test_an_operator_computes_on_its_chips_and_may_load_on_others(
    by_hand: Program,
) -> None:
    assert rows_of(by_hand, 2).tolist() == [8, 10]
    assert rows_of(by_hand, 2, 1).tolist() == [8]
    assert rows_of(by_hand, 2, 0).tolist() == []
    assert rows_of(by_hand, 2, 0, loads=True).tolist() == [3]
    # Operator 1 is an exchange.
    assert rows_of(by_hand, 1, loads=True).tolist() == []


def test_every_hop_of_a_route_has_its_first_train(by_hand: Program) -> None:
    assert routes_of(by_hand).tolist() == [0, 1, 1]
    # Three hops in a row, stored last first.
    previous = np.array([1, 2, -1], dtype=np.int32)
    long = replace(by_hand, trains=replace(by_hand.trains, previous=previous))
    assert routes_of(long).tolist() == [2, 2, 2]


def test_trains_go_with_their_instructions_and_the_others_are_renumbered(
    by_hand: Program,
) -> None:
    made = without_trains(by_hand, np.array([0]))
    assert made.trains.vectors.tolist() == [8, 8]
    assert made.trains.previous.tolist() == [-1, 0]
    # Its SEND on chip 0 and its RECEIVE on chip 1 are gone.
    kept = np.delete(np.arange(11), [4, 7])
    assert made.instructions.start_cycle.tolist() == (
        by_hand.instructions.start_cycle[kept].tolist()
    )
    assert made.instructions.train.tolist() == [-1, -1, -1, -1, 0, 1, -1, 1, -1]
    assert made.dataflow is not None
    assert made.dataflow.train_message.tolist() == [1, 1]
    assert by_hand.dataflow is not None
    assert made.dataflow.messages is by_hand.dataflow.messages


def test_a_hop_whose_route_lost_its_first_train_begins_one(by_hand: Program) -> None:
    made = without_trains(replace(by_hand, dataflow=None), np.array([1]))
    assert made.trains.previous.tolist() == [-1, -1]
    assert made.dataflow is None


@pytest.mark.parametrize("cycles", [-7, 3])
def test_a_moved_train_is_sent_and_received_so_much_later(
    by_hand: Program, cycles: int
) -> None:
    made = moved_train(by_hand, 2, cycles)
    assert made.trains.wire_cycle.tolist() == [20, 20, 40 + cycles]
    assert made.trains.receive_cycle.tolist() == [45, 40, 61 + cycles]
    starts = made.instructions.start_cycle - by_hand.instructions.start_cycle
    # What forwards it on chip 1, and what receives it on chip 2.
    assert starts.tolist() == [0] * 6 + [cycles, 0, 0, cycles, 0]
    assert changed(by_hand.instructions, made.instructions) == {"start_cycle": [6, 9]}


def test_all_hops_of_a_route_carry_fewer_vectors_in_as_much_less_time(
    by_hand: Program,
) -> None:
    # The last hop has been given two cycles more than it needs.
    code = with_rows(by_hand.instructions, 9, duration_cycles=10)
    made = with_vectors(replace(by_hand, instructions=code), first=1, vectors=3)
    assert made.trains.vectors.tolist() == [4, 3, 3]
    assert changed(code, made.instructions) == {"duration_cycles": [5, 6, 9]}
    # 10 * 3 / 8 is 3.75.
    assert made.instructions.duration_cycles[[5, 6, 9]].tolist() == [3, 3, 4]

from collections.abc import Callable

import numpy as np
import pytest

from compiler.bounds.block_bound import BlockBoundCache
from compiler.bounds.strategy_bound import least_split_trains, split_bound
from compiler.collectives.exchange_phases import exchange_candidates, fewest_messages
from compiler.compile_decode import compile_token
from compiler.ir.schedule import Schedule
from compiler.passes.train_count import (
    check_trains,
    least_block_messages,
    least_trains,
)
from sharding.operators.operators import Exchange, Pattern
from sharding.parallelism.strategy import Strategy
from sharding.parallelism.tensor_group import FeedForwardLayout
from sharding.planner.plan import plan_sharding
from sharding.weights.blocks import BlockKind, whole_blocks
from sharding.weights.task import Task
from specs.errors import ScheduleError
from specs.machine import load_machine
from tests.conftest import TINY
from topologies.selection import select_topology
from topologies.topology import Topology

Compile = Callable[..., Schedule]


@pytest.fixture(scope="module")
def rack() -> Topology:
    return select_topology(72)


@pytest.mark.parametrize("width", [1, 2, 7, 8, 9, 16, 20, 24, 27, 40, 64, 72])
def test_no_algorithm_takes_fewer_messages(rack: Topology, width: int) -> None:
    chips = np.arange(width, dtype=np.int64)
    whole = Exchange("gather", Pattern.GATHER, chips * 0 + 320, chips * 0)
    algorithms = exchange_candidates(rack, whole, chips)
    counts = [sum(len(phase.messages) for phase in one.phases()) for one in algorithms]
    assert counts == [one.messages for one in algorithms]
    assert min(counts) >= fewest_messages(rack, chips)


def test_six_million_trains_are_the_most() -> None:
    check_trains(6_000_000, width=64, chips=192)
    with pytest.raises(
        ScheduleError, match=r"24,000,000 trains.*use tensor=32,pipeline=6"
    ):
        check_trains(24_000_000, width=64, chips=192)


@pytest.mark.parametrize(
    ("tensor", "pipeline", "attention", "layout"),
    [
        (1, 3, 0, FeedForwardLayout.ONE_D),
        (8, 1, 0, FeedForwardLayout.ONE_D),
        (4, 2, 2, FeedForwardLayout.ONE_D),
        (4, 2, 0, FeedForwardLayout.TWO_D),
        (12, 2, 0, FeedForwardLayout.ONE_D),
    ],
)
def test_no_schedule_has_fewer_trains_than_the_bound(
    compiled: Compile,
    tensor: int,
    pipeline: int,
    attention: int,
    layout: FeedForwardLayout,
) -> None:
    schedule = compiled(tensor, pipeline, attention=attention, layout=layout)
    least = least_trains(schedule.plan, schedule.topology)
    assert least <= schedule.timeline.trains
    assert (least > 0) == (tensor > 1)


def messages_of(schedule: Schedule) -> dict[BlockKind, int]:
    """Return the least messages of each kind of block in the first stage's group."""
    task, chips = schedule.plan.task, schedule.plan.stages[0].chips
    return {
        block.kind: least_block_messages(task, block, schedule.topology, chips)
        for block in whole_blocks(task.model)
    }


def test_a_layer_on_two_chips_takes_a_message_each_way_before_and_after_each_half(
    compiled: Compile,
) -> None:
    assert messages_of(compiled(2, 1)) == {
        BlockKind.EMBEDDING: 0,
        BlockKind.ATTENTION: 4,
        BlockKind.FEED_FORWARD: 4,
        BlockKind.HEAD: 2,
    }


def test_in_a_grid_chips_send_along_rows_and_columns_only(compiled: Compile) -> None:
    messages = messages_of(compiled(4, 2, layout=FeedForwardLayout.TWO_D))
    # Two rows and two columns of two chips, with a message each way in each of them.
    assert messages[BlockKind.FEED_FORWARD] == 2 * 4 * 2
    assert messages[BlockKind.ATTENTION] == 2 * 4 * 3


@pytest.mark.parametrize(
    "sizes",
    [
        {"intermediate_size": 5},
        {"attention_heads": 1, "kv_heads": 1, "head_dim": 4},
        {"hidden_size": 6, "intermediate_size": 1},
    ],
    ids=lambda sizes: next(iter(sizes)),
)
@pytest.mark.parametrize(
    "split",
    [
        Strategy(tensor=6, pipeline=1),
        Strategy(tensor=6, pipeline=1, layout=FeedForwardLayout.TWO_D),
        Strategy(tensor=6, pipeline=1, attention=3),
    ],
    ids=str,
)
def test_chips_without_columns_of_a_block_send_no_sums(
    rack: Topology, sizes: dict[str, int], split: Strategy
) -> None:
    small = TINY.model_copy(update=sizes)
    task = Task(small, load_machine(), 1, 16, 1).split_as(split)
    plan = plan_sharding(task, split, np.arange(6), sequences=1)
    schedule = compile_token(plan, rack)
    assert 0 < least_trains(plan, rack) <= schedule.timeline.trains
    bound = split_bound(task, 1, BlockBoundCache())
    (least,) = least_split_trains(bound, rack, np.arange(6))
    assert 0 < least <= schedule.timeline.trains

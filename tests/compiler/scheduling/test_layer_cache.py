from collections.abc import Callable

import pytest

from compiler.collectives.phases import Phase
from compiler.ir.messages import MessageTable
from compiler.ir.schedule import Schedule
from compiler.ir.transfers import Transport, trainless
from compiler.scheduling.layer_cache import BlockCache, LayerCache
from sharding.operators.operators import Exchange
from sharding.weights.blocks import Block, BlockKind

Compile = Callable[..., Schedule]


class CountedTransfers:
    """A transfer model that counts the phases that it is asked for."""

    def __init__(self) -> None:
        self.asked = 0

    def transport(self, _: MessageTable) -> Transport:
        self.asked += 1
        return trainless(100)


def attention(layer: int) -> Block:
    return Block(BlockKind.ATTENTION, layer, 0, 1, 1)


@pytest.fixture
def schedule(compiled: Compile) -> Schedule:
    return compiled(4, 2)


def test_equal_layers_share_their_operators(schedule: Schedule) -> None:
    layers = LayerCache(schedule.plan, schedule.topology, CountedTransfers())
    assert layers.operators(attention(0)) is layers.operators(attention(1))
    feed_forward = Block(BlockKind.FEED_FORWARD, 0, 0, 1, 1)
    assert layers.operators(feed_forward) is not layers.operators(attention(0))


def test_an_algorithm_is_selected_once_for_each_exchange_and_stage(
    schedule: Schedule,
) -> None:
    transfers = CountedTransfers()
    layers = LayerCache(schedule.plan, schedule.topology, transfers)
    exchange = next(
        one for one in layers.operators(attention(0)) if isinstance(one, Exchange)
    )
    first, second = schedule.plan.stages
    phases = layers.phases(exchange, first)
    asked = transfers.asked
    assert layers.phases(exchange, first) is phases
    assert transfers.asked == asked
    chips = {
        m.source for phase in layers.phases(exchange, second) for m in phase.messages
    }
    assert chips == set(second.chips.tolist())


def test_a_reduction_adds_up_on_the_chips_that_received(schedule: Schedule) -> None:
    layers = LayerCache(schedule.plan, schedule.topology, CountedTransfers())
    stage = schedule.plan.stages[0]
    a, b, *_ = stage.chips.tolist()
    nothing, one, many = (
        layers.reduction(Phase(MessageTable.of([(a, b, size)]), adds), stage)
        for size, adds in ((64, False), (6_400, True), (640_000, True))
    )
    assert nothing.cycles.tolist() == [0] * 4
    assert one.cycles[[0, 2, 3]].tolist() == [0] * 3
    assert 0 < one.cycles[1] < many.cycles[1]


def test_schedules_of_a_plan_share_operators_and_forms_of_exchanges(
    schedule: Schedule,
) -> None:
    blocks = BlockCache(schedule.plan, schedule.topology)
    slow, fast = (
        LayerCache(schedule.plan, schedule.topology, CountedTransfers(), blocks)
        for _ in range(2)
    )
    operators = slow.operators(attention(0))
    assert fast.operators(attention(0)) is operators
    exchange = next(one for one in operators if isinstance(one, Exchange))
    stage = schedule.plan.stages[0]
    assert fast.phases(exchange, stage) is slow.phases(exchange, stage)
    (first, *_) = blocks.candidates(exchange, stage)
    assert first.phases() is first.phases()

from collections.abc import Callable

import pytest

from compiler.collectives.phases import Phase
from compiler.ir.messages import MessageTable
from compiler.ir.schedule import Schedule
from compiler.ir.transfers import Transport, trainless
from compiler.passes.model_pass import model_pass
from compiler.passes.planned_pass import PassBlock, PlannedPass
from compiler.scheduling.layer_cache import BlockCache, LayerCache
from sharding.operators.operators import Exchange

Compile = Callable[..., Schedule]


class CountedTransfers:
    """A transfer model that counts the phases that it is asked for."""

    def __init__(self) -> None:
        self.asked = 0

    def transport(self, _: MessageTable) -> Transport:
        self.asked += 1
        return trainless(100)


@pytest.fixture
def schedule(compiled: Compile) -> Schedule:
    return compiled(4, 2)


@pytest.fixture
def planned(schedule: Schedule) -> PlannedPass:
    return model_pass(schedule.plan)


@pytest.fixture
def blocks(schedule: Schedule, planned: PlannedPass) -> BlockCache:
    return BlockCache(planned, schedule.topology)


def attention(planned: PlannedPass) -> list[PassBlock]:
    """Return the blocks of attention of all layers."""
    blocks = [block for stage in planned.stages for block in stage.blocks]
    return [
        block
        for block in blocks
        if any(operator.name == "scores" for operator in block.operators())
    ]


def test_equal_layers_share_their_operators(
    planned: PlannedPass, blocks: BlockCache
) -> None:
    first, second, *_ = attention(planned)
    assert blocks.operators(first) is blocks.operators(second)
    other = next(
        block for block in planned.stages[0].blocks if block.like != first.like
    )
    assert blocks.operators(other) is not blocks.operators(first)


def test_an_algorithm_is_selected_once_for_each_exchange_and_stage(
    planned: PlannedPass, blocks: BlockCache
) -> None:
    transfers = CountedTransfers()
    layers = LayerCache(planned, transfers, blocks)
    exchange = next(
        one
        for one in layers.operators(attention(planned)[0])
        if isinstance(one, Exchange)
    )
    first, second = planned.stages
    phases = layers.phases(exchange, first)
    asked = transfers.asked
    assert layers.phases(exchange, first) is phases
    assert transfers.asked == asked
    chips = {
        m.source for phase in layers.phases(exchange, second) for m in phase.messages
    }
    assert chips == set(second.chips.tolist())


def test_a_reduction_adds_up_on_the_chips_that_received(
    planned: PlannedPass, blocks: BlockCache
) -> None:
    layers = LayerCache(planned, CountedTransfers(), blocks)
    stage = planned.stages[0]
    a, b, *_ = stage.chips.tolist()
    nothing, one, many = (
        layers.reduction(Phase(MessageTable.of([(a, b, size)]), adds), stage)
        for size, adds in ((64, False), (6_400, True), (640_000, True))
    )
    assert nothing.cycles.tolist() == [0] * 4
    assert one.cycles[[0, 2, 3]].tolist() == [0] * 3
    assert 0 < one.cycles[1] < many.cycles[1]


def test_schedules_of_a_pass_share_operators_and_forms_of_exchanges(
    planned: PlannedPass, blocks: BlockCache
) -> None:
    slow, fast = (LayerCache(planned, CountedTransfers(), blocks) for _ in range(2))
    operators = slow.operators(attention(planned)[0])
    assert fast.operators(attention(planned)[0]) is operators
    exchange = next(one for one in operators if isinstance(one, Exchange))
    stage = planned.stages[0]
    assert fast.phases(exchange, stage) is slow.phases(exchange, stage)
    (first, *_) = blocks.candidates(exchange, stage)
    assert first.phases() is first.phases()


def test_exchanges_of_one_form_share_their_phases_and_additions(
    planned: PlannedPass, blocks: BlockCache
) -> None:
    layers = LayerCache(planned, CountedTransfers(), blocks)
    stage, other = planned.stages
    # The last way has work beside its exchanges, which does not change them.
    ways = blocks.ways(attention(planned)[0])
    alone, beside = (
        [each for each in way if isinstance(each, Exchange)]
        for way in (ways[0], ways[-1])
    )
    assert any(each.beside is not None for each in beside)
    for one, two in zip(alone, beside, strict=True):
        assert one is not two
        assert blocks.form(one) == blocks.form(two)
        assert layers.phases(one, stage) is layers.phases(two, stage)
        for phase in layers.phases(one, stage):
            assert layers.reduction(phase, stage) is layers.reduction(phase, stage)
        assert layers.phases(one, other) is not layers.phases(one, stage)

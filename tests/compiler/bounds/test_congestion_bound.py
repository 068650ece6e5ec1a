from dataclasses import replace

from hypothesis import given, settings

from compiler.bounds.block_bound import BlockBoundCache
from compiler.bounds.congestion_bound import congestion_bound, least_link_timing
from compiler.bounds.critical_path_bound import least_latency_cycles
from compiler.bounds.exchange_bound import ExchangeBoundCache
from compiler.bounds.placed_bound import PlacedSplitBound
from compiler.bounds.strategy_bound import (
    least_split_trains,
    split_bound,
)
from compiler.compile_decode import compile_token
from compiler.cost.link_timing import serialisation_cycles
from compiler.ir.messages import MessageTable
from compiler.passes.model_pass import model_pass
from compiler.scheduling.pass_scheduler import pass_timeline
from sharding.planner.plan import ShardingPlan, plan_sharding
from specs.machine import load_machine
from topologies.selection import select_topology


@settings(max_examples=20)
@given(plan=...)
def test_each_step_of_the_search_raises_the_bound_towards_the_schedule(
    plan: ShardingPlan,
) -> None:
    topology = select_topology(plan.strategy.chips)
    # The bounds are those of a single replica.
    strategy = replace(plan.strategy, data=1)
    plan = plan_sharding(
        plan.task.split_as(strategy),
        strategy,
        topology.active.astype("int64"),
        sequences=plan.sequences,
    )
    pipeline = plan.strategy.pipeline
    chips = topology.active.astype("int64")
    links = congestion_bound(plan.task.machine, topology, int(chips[0]))
    anywhere = split_bound(plan.task, pipeline, BlockBoundCache())
    width = PlacedSplitBound(anywhere, chips, links, ExchangeBoundCache(links))
    placed = width.bound(pipeline, head_groups=False)
    closer = width.bound(pipeline, head_groups=True)
    timeline = pass_timeline(model_pass(plan), topology, links, interval_cycles=0)
    schedule = compile_token(plan, topology)
    alone = replace(plan, sequences=1)
    assert least_latency_cycles(alone, links) == timeline.token_cycles
    bounds = [
        anywhere.token_cycles(pipeline),
        placed.token_cycles(pipeline),
        closer.token_cycles(pipeline),
        timeline.token_cycles,
        schedule.program.token_cycles,
    ]
    assert bounds == sorted(bounds)
    trains = least_split_trains(anywhere, topology, chips)
    assert plan.strategy.tensor == 1 or trains[-1] <= schedule.timeline.trains
    assert plan.sequences <= anywhere.most_sequences(pipeline)


def test_messages_on_one_link_are_serialised() -> None:
    machine = load_machine()
    links = congestion_bound(machine, select_topology(8), 0)
    vector = machine.link.vector_bytes
    one, two = (
        links.cycles(MessageTable.of([(0, 1, 100 * vector)] * count))
        for count in (1, 2)
    )
    assert two - one == serialisation_cycles(machine, 100)
    apart = links.cycles(MessageTable.of([(0, 1, 100 * vector), (2, 3, 100 * vector)]))
    assert apart == one
    assert links.cycles(MessageTable.of([])) == 0


def test_a_transport_lasts_as_long_as_its_messages_take_at_least() -> None:
    links = congestion_bound(load_machine(), select_topology(8), 0)
    messages = MessageTable.of([(0, 1, 9_600)])
    transport = links.transport(messages)
    assert transport.duration_cycles == links.cycles(messages) > 0
    assert len(transport.link) == 0


def test_the_least_guard_band_is_that_of_the_interval_that_is_set() -> None:
    topology = select_topology(8)
    auto, often, seldom = (
        least_link_timing(
            load_machine().with_settings({"deskew.interval_epochs": epochs}),
            topology,
            0,
        ).guard_cycles
        for epochs in ("auto", 100, 300)
    )
    assert auto < often < seldom

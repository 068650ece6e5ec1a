from dataclasses import replace

from hypothesis import given

from compiler.bounds.block_bound import BlockBoundCache
from compiler.bounds.congestion_bound import congestion_bound
from compiler.bounds.critical_path_bound import least_latency_cycles
from compiler.bounds.exchange_bound import ExchangeBoundCache
from compiler.bounds.placed_bound import PlacedSplitBound
from compiler.bounds.strategy_bound import (
    least_split_trains,
    split_bound,
)
from compiler.compile_decode import compile_token
from compiler.scheduling.token_scheduler import token_timeline
from sharding.planner.plan import ShardingPlan, plan_sharding
from topologies.selection import select_topology


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
    timeline = token_timeline(plan, topology, links, interval_cycles=0)
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

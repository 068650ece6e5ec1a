from dataclasses import replace

from hypothesis import given

from compiler.bounds.block_bound import KnownBlocks
from compiler.bounds.congestion_bound import link_bound
from compiler.bounds.critical_path_bound import least_latency_cycles
from compiler.bounds.exchange_bound import KnownExchanges
from compiler.bounds.strategy_bound import (
    PlacedSplitBound,
    trains_of_width,
    width_bound,
)
from compiler.compile_decode import compile_token
from compiler.scheduling.token_scheduler import token_timeline
from sharding.planner.plan import ShardingPlan, plan_sharding
from topologies.selection import select_topology


@given(plan=...)
def test_each_closer_look_at_a_strategy_comes_nearer_to_its_schedule(
    plan: ShardingPlan,
) -> None:
    topology = select_topology(plan.strategy.chips)
    # It looks at single replicas.
    strategy = replace(plan.strategy, data=1)
    plan = plan_sharding(
        plan.task.split_as(strategy),
        strategy,
        topology.active.astype("int64"),
        sequences=plan.sequences,
    )
    pipeline = plan.strategy.pipeline
    chips = topology.active.astype("int64")
    links = link_bound(plan.task.machine, topology, int(chips[0]))
    anywhere = width_bound(plan.task, pipeline, KnownBlocks())
    width = PlacedSplitBound(anywhere, chips, links, KnownExchanges(links))
    placed = width.bound(pipeline, teams=False)
    closer = width.bound(pipeline, teams=True)
    chain = token_timeline(plan, topology, links, interval_cycles=0)
    schedule = compile_token(plan, topology)
    alone = replace(plan, sequences=1)
    assert least_latency_cycles(alone, links) == chain.token_cycles
    looks = [
        anywhere.token_cycles(pipeline),
        placed.token_cycles(pipeline),
        closer.token_cycles(pipeline),
        chain.token_cycles,
        schedule.program.token_cycles,
    ]
    assert looks == sorted(looks)
    trains = trains_of_width(anywhere, topology, chips)
    assert plan.strategy.tensor == 1 or trains[-1] <= schedule.timeline.trains
    assert plan.sequences <= anywhere.most_sequences(pipeline)

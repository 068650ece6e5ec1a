import numpy as np
from hypothesis import given, settings

from compiler.bounds.block_bound import BlockBoundCache
from compiler.bounds.strategy_bound import split_bound
from compiler.bounds.throughput_bound import most_sequences, share_cycles
from compiler.compile_decode import compile_token
from sharding.parallelism.strategy import Strategy
from sharding.planner.plan import ShardingPlan, fitting_plan
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import load_model
from topologies.selection import select_topology


@settings(max_examples=20)
@given(plan=...)
def test_no_token_takes_less_of_the_machine_than_its_bound(plan: ShardingPlan) -> None:
    strategy = plan.strategy
    bound = split_bound(plan.task, strategy.pipeline, BlockBoundCache())
    least = share_cycles(bound, strategy, plan.sequences)
    schedule = compile_token(plan, select_topology(strategy.chips))
    share = schedule.latency_cycles / (plan.sequences * strategy.data)
    assert least <= share


def test_attention_that_is_never_cut_limits_the_sequences() -> None:
    # 80 layers on 72 stages: some have two of them, and its cache.
    strategy = Strategy(tensor=8, pipeline=72)
    task = Task(load_model("llama-2-70b"), load_machine(), 8, 4096, 1)
    chips = np.arange(576)
    most = most_sequences(task, strategy.pipeline)
    assert fitting_plan(task, strategy, chips, sequences=most + 1) is None
    bound = split_bound(task, strategy.pipeline, BlockBoundCache())
    assert most < bound.most_sequences(strategy.pipeline)


@given(plan=...)
def test_what_fits_is_no_more_than_may_fit(plan: ShardingPlan) -> None:
    if plan.task.group.alternating_groups == 1:
        assert plan.sequences <= most_sequences(plan.task, plan.strategy.pipeline)

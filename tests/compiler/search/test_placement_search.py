import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.compile_decode import compile_token
from compiler.search.placement_search import best_placed, on_chips
from compiler.verify import verify
from sharding.parallelism.strategy import Strategy
from sharding.planner.coverage import check_coverage
from sharding.planner.plan import ShardingPlan, plan_sharding
from sharding.transformer.task import Task
from specs.machine import load_machine
from specs.model import load_model
from topologies.selection import select_topology

TWO_HEADS = load_model("llama-2-7b").model_copy(
    update={
        "hidden_size": 256,
        "intermediate_size": 512,
        "layers": 2,
        "attention_heads": 2,
        "kv_heads": 2,
        "vocabulary_size": 512,
    }
)


@settings(max_examples=25)
@given(
    plan=...,
    wiring=st.sampled_from(["auto", "torus", "hypercube", "dragonfly:random-3"]),
)
def test_a_placed_schedule_holds_and_is_never_slower_than_the_chips_in_order(
    plan: ShardingPlan, wiring: str
) -> None:
    topology = select_topology(max(8, plan.strategy.chips), wiring)
    plan = on_chips(plan, topology)
    naive = compile_token(plan, topology)
    placed = best_placed(naive)
    assert placed.naive_cycles == naive.latency_cycles
    assert placed.gain_cycles >= 0
    assert placed.schedule.latency_cycles + placed.gain_cycles == placed.naive_cycles
    machine = plan.task.machine
    certificate = verify(placed.schedule.program, placed.schedule.topology, machine)
    assert certificate.digest
    check_coverage(placed.schedule.plan.slices)


def test_teams_that_share_a_head_gain_most_from_being_near_each_other() -> None:
    # Two heads are served by teams of twelve, three halves of a node each.
    plan = plan_sharding(
        Task(TWO_HEADS, load_machine(), 24, 64, 1),
        Strategy(tensor=24, pipeline=2),
        np.arange(48),
    )
    placed = best_placed(compile_token(plan, select_topology(48)))
    assert placed.gain_cycles > placed.naive_cycles // 100
    active = placed.schedule.topology.active[:48].tolist()
    held = np.concatenate([stage.chips for stage in placed.schedule.plan.stages])
    assert held.tolist() == active


def test_chips_that_are_all_next_to_each_other_gain_nothing() -> None:
    plan = plan_sharding(
        Task(TWO_HEADS, load_machine(), 2, 64, 1),
        Strategy(tensor=2, pipeline=4),
        np.arange(8),
    )
    naive = compile_token(plan, select_topology(8))
    assert best_placed(naive) == (naive, naive.latency_cycles)

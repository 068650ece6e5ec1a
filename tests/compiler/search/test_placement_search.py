from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.compile_decode import compile_token
from compiler.search.branch_and_bound import best_strategy
from compiler.search.objective import Objective
from compiler.search.placement_search import (
    PlacedSchedule,
    best_placed,
    fastest_placed,
    on_chips,
)
from compiler.verify import verify
from sharding.parallelism.strategy import Strategy
from sharding.planner.coverage import check_coverage
from sharding.planner.plan import ShardingPlan, plan_sharding
from sharding.weights.task import Task
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


@settings(max_examples=12)
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


def test_a_plan_keeps_its_stages_on_other_chips(small_task: Task) -> None:
    topology = select_topology(8)
    strategy = Strategy(tensor=2, pipeline=3)
    plan = plan_sharding(small_task.split_as(strategy), strategy, np.arange(8))
    turned = replace(topology, active=topology.active[::-1])
    moved = on_chips(plan, turned)
    assert [stage.chips.tolist() for stage in moved.stages] == [[7, 6], [5, 4], [3, 2]]
    assert [s.blocks for s in moved.stages] == [s.blocks for s in plan.stages]


def test_the_gain_of_a_placement_is_said_in_cycles_and_per_cent() -> None:
    plan = plan_sharding(
        Task(TWO_HEADS, load_machine(), 2, 64, 1),
        Strategy(tensor=2, pipeline=4),
        np.arange(8),
    )
    schedule = compile_token(plan, select_topology(8))
    placed = PlacedSchedule(schedule, schedule.latency_cycles + 1_000)
    assert placed.gain_cycles == 1_000
    naive = f"{schedule.latency_cycles + 1_000:,}"
    assert str(placed).startswith(f"1,000 of {naive} cycles less than")


def test_the_fastest_placed_plan_is_one_of_those_that_the_search_knows(
    small_task: Task,
) -> None:
    topology = select_topology(8)
    result = best_strategy(
        small_task, topology, objective=Objective.LATENCY, sequences=1
    )
    plan = fastest_placed(result)
    known = {each.strategy: each.latency_cycles for each in result.known}
    assert plan.strategy in known
    # Within a node all chips are neighbours, so that no other placement is faster.
    assert known[plan.strategy] == min(known.values())
    chips = np.concatenate([stage.chips for stage in plan.stages])
    assert chips.tolist() == topology.active[: plan.strategy.chips].tolist()

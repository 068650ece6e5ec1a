from dataclasses import fields, replace

import numpy as np
import pytest

from compiler.compile_decode import compile_token
from compiler.ir.schedule import Schedule
from compiler.search.neighbourhood import neighbourhood
from compiler.search.objective import Objective
from compiler.search.sensitivity import sensitivities
from sharding.parallelism.strategy import Strategy, parse_strategy
from sharding.planner.coverage import check_coverage
from sharding.planner.plan import plan_sharding
from sharding.transformer.task import Task
from specs.machine import load_machine
from specs.model import ModelSpec
from topologies.selection import select_topology

MOST = 50


def small_schedule(strategy: Strategy, *, sequences: int = 2) -> Schedule:
    """Return a small model on eight chips."""
    model = ModelSpec(
        name="small",
        family="llama",
        hidden_size=256,
        intermediate_size=512,
        layers=4,
        attention_heads=4,
        kv_heads=2,
        head_dim=64,
        vocabulary_size=512,
        tied_embeddings=False,
        experts=1,
        experts_per_token=1,
        max_context_tokens=128,
    )
    topology = select_topology(8)
    chips = topology.active.astype(np.int64)
    task = Task(model, load_machine(), 1, 64, 1).split_as(strategy)
    plan = plan_sharding(task, strategy, chips, sequences=sequences)
    return compile_token(plan, topology)


@pytest.fixture(scope="module")
def schedule() -> Schedule:
    """Return a small model in three stages, one of them slower than the others."""
    return small_schedule(Strategy(tensor=2, pipeline=3))


@pytest.mark.parametrize(
    "text",
    [
        "tensor=2,pipeline=2,data=2",
        "tensor=4,pipeline=2,attention=2",
        "tensor=4,pipeline=2,layout=2d",
    ],
)
def test_neighbours_keep_what_a_strategy_says_beside_its_shape(text: str) -> None:
    strategy = parse_strategy(text, 8)
    schedule = small_schedule(strategy)
    found = list(neighbourhood(schedule))
    assert any("from stage" in neighbour.name for neighbour in found)
    assert any("pipeline=" in neighbour.name for neighbour in found)
    for neighbour in found:
        made = neighbour.plan.strategy
        reshaped = replace(made, tensor=strategy.tensor, pipeline=2)
        apart = [
            field.name
            for field in fields(made)
            if getattr(reshaped, field.name) != getattr(strategy, field.name)
        ]
        # Another shape keeps the other keys; else one of these may be another.
        assert len(apart) <= (reshaped == made)
        assert made.chips <= 8
        assert neighbour.plan.task == neighbour.plan.task.split_as(made)
    best = sensitivities(schedule, Objective.LATENCY, most=MOST, most_compiled=MOST)
    # What no schedule holds for is left out.
    assert {each.name for each in best} <= {neighbour.name for neighbour in found}
    assert best


def test_every_neighbour_leads_to_a_whole_plan_that_fits(schedule: Schedule) -> None:
    found = list(neighbourhood(schedule))
    assert len({neighbour.name for neighbour in found}) == len(found)
    for neighbour in found:
        machine = neighbour.plan.task.machine
        assert check_coverage(neighbour.plan.slices)
        assert neighbour.plan.fullest_chip_bytes <= machine.chip.sram_bytes
        assert neighbour.plan.strategy.chips <= 8


def test_there_is_a_neighbour_of_every_kind(schedule: Schedule) -> None:
    names = " ".join(neighbour.name for neighbour in neighbourhood(schedule))
    for kind in (
        "from stage",
        "tensor=1,",
        "tensor=3,",
        "pipeline=2",
        "pipeline=4",
        "attention=1",
        "sequences 1",
        "sequences 3",
        "formats.weights=int4",
        "deskew.interval_epochs=",
        "context 32",
    ):
        assert kind in names


def test_what_compiling_says_of_a_neighbour_is_the_difference_of_two_schedules(
    schedule: Schedule,
) -> None:
    plans = {neighbour.name: neighbour.plan for neighbour in neighbourhood(schedule)}
    changes = sensitivities(
        schedule, Objective.THROUGHPUT, most=MOST, most_compiled=MOST
    )
    assert [each.cost for each in changes] == sorted(each.cost for each in changes)
    for each in changes:
        assert each.compiled
        there = compile_token(plans[each.name], schedule.topology)
        assert each.latency_cycles == there.latency_cycles - schedule.latency_cycles
        share = there.latency_cycles / there.plan.sequences
        assert each.share_cycles == share - schedule.latency_cycles / 2
        assert each.chips == there.plan.strategy.chips - 6


def test_what_is_not_compiled_is_said_to_be_known_by_bounds(
    schedule: Schedule,
) -> None:
    changes = sensitivities(schedule, Objective.LATENCY, most=4, most_compiled=1)
    assert [each.compiled for each in changes].count(True) == 1
    assert len(changes) == 4

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest

from compiler.compile_decode import compile_token
from compiler.ir.schedule import Schedule
from compiler.search.neighbourhood import Neighbour, neighbourhood
from sharding.parallelism.strategy import Strategy, parse_strategy
from sharding.planner.coverage import check_coverage
from sharding.planner.plan import plan_sharding
from specs.model_formats import ModelFormats
from specs.weight_formats import parse_weight_format


@pytest.mark.parametrize(
    "text",
    [
        "tensor=2,pipeline=2,data=2",
        "tensor=4,pipeline=2,attention=2",
        "tensor=4,pipeline=2,layout=2d",
    ],
)
def test_neighbours_keep_what_a_strategy_says_beside_its_shape(
    small_schedule: Callable[[Strategy], Schedule], text: str
) -> None:
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


def plans(schedule: Schedule) -> dict[str, Neighbour]:
    return {each.name: each for each in neighbourhood(schedule)}


def test_a_neighbour_differs_in_what_its_name_says(schedule: Schedule) -> None:
    plan = schedule.plan
    near = plans(schedule)
    assert near["sequences 3"].plan.sequences == 3
    assert near["context 32"].plan.task == plan.task._replace(context=32)
    longer = near["tensor=2,pipeline=4"].plan
    assert (longer.strategy.pipeline, longer.sequences) == (4, 2)
    machine = near["formats.weights=int4"].plan.task.machine
    weights = {"formats.weights": "int4"}
    assert machine == plan.task.machine.with_settings(weights, "test")


def test_a_piece_leaves_its_stage_for_the_next_one(schedule: Schedule) -> None:
    moved = [each for each in neighbourhood(schedule) if "from stage" in each.name]
    cycles = schedule.timeline.stage_cycles
    slowest = cycles.index(max(cycles))
    assert any(f"from stage {slowest} " in each.name for each in moved)
    assert any(each.name.endswith(f" to {slowest}") for each in moved)
    before = [sum(s.memory.weights.sum() for s in schedule.plan.stages)]
    for each in moved:
        held = [stage.memory.weights.sum() for stage in each.plan.stages]
        assert [sum(held)] == before
        source, target = map(int, each.name.split("from stage ")[1].split(" to "))
        assert abs(source - target) == 1
        was = [stage.memory.weights.sum() for stage in schedule.plan.stages]
        assert held[source] < was[source]
        assert held[target] > was[target]


@pytest.mark.parametrize(
    ("stored", "narrower"), [("fp8:16x16", "int4"), ("bf16", "fp8"), ("mxfp4", None)]
)
def test_a_format_that_is_changed_overrides_that_of_a_checkpoint(
    stored: str, narrower: str | None, schedule: Schedule
) -> None:
    formats = ModelFormats.uniform(parse_weight_format(stored))
    plan = schedule.plan
    model = plan.task.model.model_copy(update={"formats": formats})
    topology = schedule.topology
    quantised = plan_sharding(
        plan.task._replace(model=model),
        plan.strategy,
        topology.active.astype(np.int64),
        sequences=plan.sequences,
    )
    changed = {
        name: each.plan.task
        for name, each in plans(compile_token(quantised, topology)).items()
        if name.startswith("formats.weights=")
    }
    assert list(changed) == [f"formats.weights={narrower}"] * (narrower is not None)
    for task in changed.values():
        assert task.formats_text == narrower

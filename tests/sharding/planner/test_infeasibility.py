import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharding.parallelism.strategy import Strategy, parse_strategy
from sharding.planner.infeasibility import (
    capacity_error,
    fewest_chips,
    fits,
    smallest_pipeline,
)
from sharding.planner.plan import ShardingPlan, plan_sharding
from sharding.planner.stage_partition import stage_cuts
from sharding.weights.blocks import model_units
from sharding.weights.task import Task
from specs.errors import PlanError
from specs.machine import MachineSpec, load_machine
from specs.model import ModelSpec, load_model

GROQRACK = load_machine("groqrack")


def plan(
    model: str,
    tensor: int,
    pipeline: int,
    *,
    context: int = 4096,
    sequences: int = 1,
    **chip_settings: int,
) -> ShardingPlan:
    machine = GROQRACK.with_settings(
        {f"chip.{key}": value for key, value in chip_settings.items()}
    )
    strategy = Strategy(tensor=tensor, pipeline=pipeline)
    task = Task(load_model(model), machine, tensor, context, 1)
    chips = np.arange(strategy.chips, dtype=np.int64)
    return plan_sharding(task, strategy, chips, sequences=sequences)


def small_chips(sram_bytes: int) -> MachineSpec:
    return GROQRACK.with_settings(
        {"chip.sram_bytes": sram_bytes, "chip.program_reserve_bytes": 0}
    )


def stages_fit(task: Task, pipeline: int) -> bool:
    units = model_units(task.model, task.machine, tensor=task.tensor, pipeline=pipeline)
    return stage_cuts(task, units, pipeline=pipeline, sequences=1) is not None


@given(
    sram_bytes=st.integers(400, 1500),
    tensor=st.integers(1, 4),
    pipeline=st.integers(1, 12),
    attention=st.sampled_from([0, 1, 2]),
)
def test_bytes_alone_say_whether_a_plan_fits(
    tiny: ModelSpec, sram_bytes: int, tensor: int, pipeline: int, attention: int
) -> None:
    task = Task(tiny, small_chips(sram_bytes), tensor, 4, 1)
    if attention and tensor % attention == 0:
        task = task._replace(attention=attention)
    assert fits(task, pipeline, 1) == stages_fit(task, pipeline)


@given(sram_bytes=st.integers(400, 1500))
def test_the_fewest_chips_hold_a_model_and_one_less_does_not(
    tiny: ModelSpec, sram_bytes: int
) -> None:
    task = Task(tiny, small_chips(sram_bytes), 1, 4, 1)

    def strategies(chips: int) -> list[Strategy]:
        return [
            Strategy(tensor=width, pipeline=chips // width)
            for width in range(1, min(chips, tiny.hidden_size) + 1)
            if chips % width == 0
        ]

    smallest = fewest_chips(task, 1, strategies)
    assert smallest is not None
    assert stages_fit(task.split_as(smallest), smallest.pipeline)
    for chips in range(1, smallest.chips):
        for strategy in strategies(chips):
            assert not fits(task.split_as(strategy), strategy.pipeline, 1)
    more = fewest_chips(task, 1, strategies, more_than=smallest.chips)
    assert more is not None
    assert more.chips > smallest.chips


@given(sram_bytes=st.integers(400, 1500))
def test_the_smallest_pipeline_fits_and_one_stage_less_does_not(
    tiny: ModelSpec, sram_bytes: int
) -> None:
    task = Task(tiny, small_chips(sram_bytes), 1, 4, 1)
    stages = smallest_pipeline(task, 1)
    assert stages > 0
    assert stages_fit(task, stages)
    assert stages == 1 or not stages_fit(task, stages - 1)


def test_no_pipeline_holds_a_layer_whose_attention_is_larger_than_a_chip(
    tiny: ModelSpec,
) -> None:
    # Four projections of 64, 32, 32 and 64 weights, a norm of 8 and 128 B of cache.
    assert smallest_pipeline(Task(tiny, small_chips(320), 1, 4, 1), 1) == 0


def test_an_error_says_what_the_fullest_chip_lacks_and_what_fits(
    tiny: ModelSpec,
) -> None:
    task = Task(tiny, small_chips(800), 1, 4, 1)
    units = model_units(tiny, task.machine, tensor=1, pipeline=1)
    error = capacity_error(
        task, Strategy(tensor=1, pipeline=1), units, np.array([7]), 1
    )
    # 1096 weights, 128 B of cache, and 3 x 16 B and 64 B of activations.
    assert str(error) == (
        "llama-2-7b does not fit as tensor=1,pipeline=1: chip 7 (stage 0) is the "
        "fullest and lacks 536 bytes: it needs 1,336 (weights 0.0 MB, kv cache 0.0 MB, "
        "activations 0.0 MB, program 0.0 MB) and has 800. What would do: --set "
        "formats.weights=int4 --strategy tensor=1,pipeline=1 on this chip, or --chips "
        "2 --strategy tensor=1,pipeline=2 (1 rack of 72)."
    )


def test_a_refusal_names_the_fullest_chip_the_bytes_and_the_options() -> None:
    with pytest.raises(
        PlanError,
        match=r"llama-2-70b does not fit as tensor=8,pipeline=20: chip \d+ "
        r"\(stage \d+\) is the fullest and lacks [\d,]+ bytes: it needs [\d,]+ "
        r"\(weights [\d.]+ MB, kv cache [\d.]+ MB, activations [\d.]+ MB, "
        r"program 2\.1 MB\) and has 230,686,720\. What would do: --set "
        r"formats\.weights=int4 --strategy tensor=16,pipeline=10 on these 160 chips, "
        r"or --chips \d+ --strategy tensor=8,pipeline=\d+ \(5 racks of 72\)\.$",
    ) as caught:
        plan("llama-2-70b", 8, 20)
    missing, needed, limit = (
        int(number.replace(",", ""))
        for number in re.findall(r"(?:lacks|needs|has) ([\d,]+)\d*", str(caught.value))
    )
    assert missing == needed - limit > 0


@pytest.mark.parametrize("there", [0, 344])
def test_a_split_of_the_chips_there_are_is_offered_first_and_fits(there: int) -> None:
    model, machine = load_model("llama-2-70b"), load_machine()
    narrow = Strategy(tensor=2, pipeline=160)
    task = Task(model, machine, 1, 4096, 1).split_as(narrow)
    with pytest.raises(PlanError, match="does not fit") as caught:
        plan_sharding(task, narrow, np.arange(344), there=there)
    offer = re.search(
        r"would do: --strategy (\S+) on these (\d+) chips", str(caught.value)
    )
    assert offer
    # Those of the strategy, unless the machine is known to have more.
    assert int(offer[2]) == max(there, 320)
    offered = parse_strategy(offer[1], int(offer[2]))
    assert offered.chips <= int(offer[2])
    plan("llama-2-70b", offered.tensor, offered.pipeline)


def test_narrower_weights_that_are_offered_fit() -> None:
    options = refusal(tensor=8, pipeline=20, context=4096)
    assert options.startswith(
        "--set formats.weights=int4 --strategy tensor=16,pipeline=10"
    )
    machine = load_machine().with_settings({"formats.weights": "int4"})
    strategy = Strategy(tensor=16, pipeline=10)
    task = Task(load_model("llama-2-70b"), machine, 1, 4096, 1).split_as(strategy)
    plan_sharding(task, strategy, np.arange(160))


def refusal(*, tensor: int, pipeline: int, context: int, sequences: int = 1) -> str:
    with pytest.raises(PlanError, match=r"What would do: ") as caught:
        plan("llama-2-70b", tensor, pipeline, context=context, sequences=sequences)
    return str(caught.value).partition("What would do: ")[2]


@pytest.mark.parametrize("tensor", [4, 7, 8, 16])
def test_the_machine_that_is_offered_is_the_smallest_that_fits(tensor: int) -> None:
    options = refusal(tensor=tensor, pipeline=15, context=4096)
    offer = re.search(r"--chips (\d+) --strategy (\S+) \(\d+ racks of 72\)\.$", options)
    assert offer
    offered = parse_strategy(offer[2], int(offer[1]))
    assert offered.chips == int(offer[1])
    plan("llama-2-70b", offered.tensor, offered.pipeline)
    with pytest.raises(PlanError, match=r"does not fit"):
        plan("llama-2-70b", offered.tensor, offered.pipeline - 1)


def test_the_context_that_is_offered_is_the_longest_that_fits() -> None:
    options = refusal(tensor=8, pipeline=72, context=10**6)
    offer = re.search(r"--context (\d+)", options)
    assert offer
    longest = int(offer[1])
    plan("llama-2-70b", 8, 72, context=longest)
    with pytest.raises(PlanError, match=r"does not fit"):
        plan("llama-2-70b", 8, 72, context=longest + 1)


def test_the_sequences_that_are_offered_are_the_most_that_fit() -> None:
    options = refusal(tensor=8, pipeline=72, context=4096, sequences=1000)
    offer = re.search(r"--sequences (\d+)", options)
    assert offer
    most = int(offer[1])
    plan("llama-2-70b", 8, 72, sequences=most)
    with pytest.raises(PlanError, match=r"does not fit"):
        plan("llama-2-70b", 8, 72, sequences=most + 1)


def test_a_chip_that_holds_nothing_leaves_no_option(tiny: ModelSpec) -> None:
    task, chips = Task(tiny, small_chips(60), 1, 4, 1), np.arange(1)
    with pytest.raises(PlanError, match=r"No machine of these chips holds it"):
        plan_sharding(task, Strategy(tensor=1, pipeline=1), chips)

import pytest

from experiments.report.subjects import (
    inputs_block,
    machine_facts,
    model_facts,
    plan_facts,
)
from experiments.run.preparation import Prepared
from experiments.run.scenario import Run, prepare
from specs.scenario import Scenario


@pytest.fixture(scope="module")
def prepared(small_run: Run) -> Prepared:
    assert isinstance(small_run.prepared, Prepared)
    return small_run.prepared


def test_inputs_say_of_a_prompt_only_where_there_is_one() -> None:
    of_a_prompt = {"prompt", "prefill_chunk", "context_bucket"}
    assert not of_a_prompt & inputs_block(Scenario()).keys()
    assert of_a_prompt <= inputs_block(Scenario(prompt=10)).keys()


def test_inputs_of_a_workload_say_nothing_of_models() -> None:
    asked = Scenario(workload="gemm:64x64x64", strategy="column=1,row=1")
    assert not {"model", "context"} & inputs_block(asked).keys()


def test_a_machine_counts_cables_and_measures_distances(prepared: Prepared) -> None:
    facts = machine_facts(prepared)
    assert (facts.chips, facts.active_chips) == (72, 24)
    assert facts.links == prepared.topology.links == 28 * 9 + 4 * 36
    assert facts.diameter_hops >= facts.mean_hops > 1


def test_a_model_counts_the_bytes_of_its_plan(prepared: Prepared) -> None:
    facts = model_facts(prepared)
    assert facts.layers == 4
    assert facts.weight_bytes == prepared.plan.weight_bytes > 0


def test_a_plan_says_every_key_of_its_strategy(prepared: Prepared) -> None:
    facts = plan_facts(prepared)
    assert facts.strategy == "tensor=5,pipeline=4"
    assert (facts.split["tensor"], facts.split["pipeline"]) == (5, 4)
    assert facts.chips_used == 20
    assert facts.fullest_chip_bytes <= facts.sram_bytes_per_chip


def test_the_plan_of_a_workload_says_columns_rows_and_stages() -> None:
    asked = Scenario(workload="gemm:64x64x64", chips=2, strategy="column=2,row=1")
    assert plan_facts(prepare(asked)).split == {
        "column": 2,
        "row": 1,
        "pipeline": 1,
    }


def test_a_model_says_its_formats(prepared: Prepared) -> None:
    facts = model_facts(prepared)
    assert (facts.weight_formats, facts.kv_cache_format) == ("fp8", "fp16")

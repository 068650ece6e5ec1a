import pytest

from experiments.run.version import VERSION
from experiments.run.workload import (
    prepare_workload,
    workload_facts,
    workload_of_scenario,
)
from specs.errors import PlanError, SpecError
from specs.scenario import Scenario

GEMM = Scenario(workload="gemm:64x320x320", chips=2, strategy="column=2,row=1")


def test_a_workload_is_split_as_its_strategy_says() -> None:
    prepared = prepare_workload(GEMM)
    assert str(prepared.plan.strategy) == "column=2,row=1"
    assert not prepared.makes_tokens
    assert prepared.context_tokens == 0


def test_a_workload_counts_its_products_and_weights() -> None:
    facts = workload_facts(prepare_workload(GEMM))
    assert facts.macs == 64 * 320 * 320
    assert 0 < facts.mxm_utilisation < 1
    assert (facts.name, facts.operators) == ("gemm:64x320x320", 1)


def test_a_batch_multiplies_the_products_but_not_the_weights() -> None:
    one, two = (
        workload_facts(prepare_workload(GEMM.model_copy(update={"batch": batch})))
        for batch in (1, 2)
    )
    assert two.macs == 2 * one.macs
    assert two.weight_bytes == one.weight_bytes


def test_a_scenario_names_a_workload_for_its_whole_batch() -> None:
    for batch in (1, 3):
        asked = GEMM.model_copy(update={"batch": batch})
        rows = {
            each.name: each.rows * each.matrices
            for each in workload_of_scenario(asked).tensors
        }
        # Each of a batch has a product of its own with the same weights.
        assert rows == {"a": 64 * batch, "b": 320, "c": 64 * batch}
    with pytest.raises(SpecError, match="write gemm:MxKxN"):
        workload_of_scenario(Scenario(workload="gemm:1x2"))


def test_a_workload_has_no_sizes_of_a_model() -> None:
    asked = GEMM.model_copy(update={"settings": {"model.layers": 2}})
    with pytest.raises(SpecError, match="a workload is no model"):
        prepare_workload(asked)


def test_the_plan_file_of_a_workload_is_refused() -> None:
    with pytest.raises(PlanError, match="plans of models are read"):
        prepare_workload(GEMM.model_copy(update={"strategy": "plan.csv"}))


def test_the_version_is_a_number_of_parts() -> None:
    assert all(part.isalnum() for part in VERSION.split("."))

"""Bounds of inputs: what no machine and no model can mean is refused at the door."""

from typing import Any

import pytest

from specs.bounds import LARGEST_NUMBER, MOST_ELEMENTS, MOST_OF_MODEL
from specs.errors import SpecError
from specs.machine import load_machine
from specs.model import load_model
from specs.scenario import scenario
from workloads.graphs.workload import load_workload


@pytest.mark.parametrize(
    "key", ["tokens", "batch", "sequences", "context", "prompt", "chips"]
)
def test_a_count_beyond_64_bits_is_refused_by_its_key(key: str) -> None:
    with pytest.raises(SpecError, match=f"{key} = 9223372036854775808: must be"):
        scenario({key: 2**63})


def test_a_seed_may_be_any_number() -> None:
    assert scenario({"seed": 2**63}).seed == 2**63


@pytest.mark.parametrize("value", [LARGEST_NUMBER + 1, "1" * 400])
def test_a_number_of_a_machine_is_bounded_however_it_is_written(value: Any) -> None:
    with pytest.raises(SpecError, match=r"chip\.sram_bytes = ") as refused:
        load_machine().with_settings({"chip.sram_bytes": value})
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("name", ["layers", "experts", "intermediate_size"])
def test_a_size_that_no_model_has_is_refused(name: str) -> None:
    most = MOST_OF_MODEL[name]
    model = load_model("mixtral-8x7b")
    assert getattr(model.with_settings({name: most}), name) == most
    with pytest.raises(SpecError, match=f"{name} {most + 1} must be at most {most}"):
        model.with_settings({name: most + 1})


def test_a_tensor_that_no_machine_holds_is_refused() -> None:
    assert MOST_ELEMENTS == 10**12
    load_workload("gemm:1000000x1000000x1000000")
    with pytest.raises(SpecError, match="tensor a has 1,000,001,000,000 elements"):
        load_workload("gemm:1000001x1000000x1")
    with pytest.raises(SpecError, match="at most 12 digits"):
        load_workload("lstm:9223372036854775808")

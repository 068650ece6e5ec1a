import pytest

from experiments.run.scenario_inputs import (
    machine_of,
    model_of,
    scenario_of,
    topology_of,
)
from specs.errors import SpecError
from specs.model import load_model
from specs.scenario import Scenario


def test_a_machine_brings_its_topology_and_its_chips() -> None:
    asked = scenario_of({"machine": "lpx"}, "test")
    assert (asked.topology, asked.chips) == ("lpx", 256)
    assert topology_of(asked, machine_of(asked)).chips == 256


def test_settings_of_a_model_change_its_sizes_and_no_machine() -> None:
    asked = Scenario(settings={"model.layers": 2, "link.ber": 1e-9})
    assert model_of(asked).layers == 2
    assert machine_of(asked).link.ber == 1e-9


def test_a_number_of_chips_brings_a_tensor_group_no_wider_than_a_node() -> None:
    assert scenario_of({"chips": 4}, "test").strategy == "tensor=4"
    assert scenario_of({"chips": 72}, "test").strategy == "tensor=8"


def test_a_workload_takes_no_key_of_a_model() -> None:
    with pytest.raises(SpecError, match="context"):
        scenario_of({"workload": "lstm:512", "context": 100}, "test")


def test_a_setting_of_formats_overrides_those_of_a_checkpoint() -> None:
    quantised = Scenario(model="qwen3-32b-fp8", settings={"link.ber": 1e-9})
    assert model_of(quantised).formats == load_model("qwen3-32b-fp8").formats
    what_if = Scenario(model="qwen3-32b-fp8", settings={"formats.weights": "mxfp4"})
    assert model_of(what_if).formats is None
    assert str(machine_of(what_if).formats.weights) == "mxfp4"

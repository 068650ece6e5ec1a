from pathlib import Path

import pytest

from specs.errors import SpecError
from specs.machine import load_machine
from specs.model import load_model
from specs.scenario import (
    MODEL_KEYS,
    Scenario,
    load_scenario,
    model_key_fault,
    resolved_file_names,
    scenario,
)


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_an_empty_scenario_is_the_deployment_to_reproduce() -> None:
    default = scenario({})
    assert default == Scenario()
    assert load_model(default.model).name == "llama-2-70b"
    assert load_machine(default.machine).name == "groqrack"
    assert (default.chips, default.strategy) == (576, "tensor=8,pipeline=72")


def test_tables_become_settings(tmp_path: Path) -> None:
    path = written(
        tmp_path, "chips = 72\nspares = 1\n[link]\nber = 1e-9\n[fec]\ncode = 'none'\n"
    )
    read = load_scenario(path)
    assert read.chips == 72
    assert read.settings == {"spares": 1, "link.ber": 1e-9, "fec.code": "none"}
    assert load_machine().with_settings(read.settings).link.ber == 1e-9


def test_settings_may_also_be_written_as_paths(tmp_path: Path) -> None:
    path = written(tmp_path, "[settings]\n'link.ber' = 1e-9\n")
    assert load_scenario(path).settings == {"link.ber": 1e-9}


def test_settings_that_are_no_table_are_refused() -> None:
    with pytest.raises(SpecError, match=r"settings = 3: must be a valid dictionary"):
        scenario({"settings": 3})


def test_a_sweep_is_several_scenarios(tmp_path: Path) -> None:
    path = written(tmp_path, "chips = 72\n[sweep]\nseed = [1, 2]\n")
    with pytest.raises(SpecError, match=r"mine\.toml: has a \[sweep\] table.*remove"):
        load_scenario(path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("modle", "x", r"there is no key 'modle'; did you mean 'model'\?"),
        ("chips", 0, r"chips = 0: must be greater than or equal to 1"),
        ("seed", -1, r"seed = -1: must be greater than or equal to 0"),
        ("context", 0.5, r"context = 0\.5: must be a valid integer"),
        ("tokens", "ten", r"tokens = 'ten': must be a valid integer"),
    ],
)
def test_a_wrong_key_or_value_is_named(key: str, value: object, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        scenario({key: value}, "mine.toml")


def test_a_misspelt_table_is_refused_by_the_machine() -> None:
    read = scenario({"lnik": {"ber": 1e-9}})
    with pytest.raises(SpecError, match=r"lnik\.ber: .*did you mean 'link\.ber'\?"):
        load_machine().with_settings(read.settings)


def test_a_missing_scenario_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"no file .*gone\.toml \(looked in "):
        load_scenario(tmp_path / "gone.toml")


def test_a_scenario_names_its_files_as_seen_from_where_it_lies(tmp_path: Path) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text('model = "my.json"\nmachine = "groqrack"\ntopology = "w.csv"\n')
    read = load_scenario(path)
    assert (read.model, read.topology) == (
        str(tmp_path / "my.json"),
        str(tmp_path / "w.csv"),
    )
    assert read.machine == "groqrack"


def test_a_workload_takes_one_chip_and_the_best_strategy_by_default() -> None:
    read = scenario({"workload": "mlp"})
    assert (read.chips, read.strategy) == (1, "auto")
    assert scenario({"workload": "mlp", "chips": 8}).chips == 8


# A value other than the default for each key that applies to a model only.
OF_A_MODEL = {
    "model": "gpt2",
    "objective": "chips",
    "sequences": 2,
    "placement": "auto",
    "context": 100,
    "prompt": 10,
    "prefill_chunk": 4,
    "context_bucket": 128,
}


@pytest.mark.parametrize("name", OF_A_MODEL)
def test_a_workload_has_no_key_of_a_model(name: str) -> None:
    with pytest.raises(SpecError) as refused:
        scenario({"workload": "mlp", name: OF_A_MODEL[name]})
    assert model_key_fault(name) in str(refused.value)


def test_all_other_keys_apply_to_a_workload_too() -> None:
    assert set(MODEL_KEYS) == set(OF_A_MODEL)
    others = {"tokens": 3, "batch": 2, "engine": "replay", "seed": 5}
    read = scenario({"workload": "mlp", **others})
    assert {name: getattr(read, name) for name in others} == others


def test_a_fault_of_a_key_says_what_to_leave_out() -> None:
    assert model_key_fault("model").endswith("leave one out")
    assert model_key_fault("prompt") == (
        "prompt is of a model, and a workload has none; leave it out"
    )


def test_only_names_of_files_are_resolved(tmp_path: Path) -> None:
    content = {
        "model": "my.json",
        "machine": "groqrack",
        "topology": "links.CSV",
        "faults": "script",
        "strategy": "tensor=8",
        "chips": 8,
    }
    assert resolved_file_names(tmp_path, content) == {
        "model": str(tmp_path / "my.json"),
        "machine": "groqrack",
        "topology": str(tmp_path / "links.CSV"),
        "faults": str(tmp_path / "script"),
        "strategy": "tensor=8",
        "chips": 8,
    }


def test_sizes_behind_the_name_of_a_file_stay_there(tmp_path: Path) -> None:
    content = {"workload": "nets/it.onnx:batch=2"}
    wanted = str(tmp_path / "nets" / "it.onnx") + ":batch=2"
    assert resolved_file_names(tmp_path, content) == {"workload": wanted}


def test_a_model_may_be_named_by_the_folder_of_its_config(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    assert resolved_file_names(tmp_path, {"model": "mine"}) == {"model": "mine"}
    (tmp_path / "mine" / "config.json").write_text("{}")
    assert resolved_file_names(tmp_path, {"model": "mine"}) == {
        "model": str(tmp_path / "mine")
    }


def test_the_context_holds_prompt_and_tokens() -> None:
    assert scenario({"prompt": 10, "tokens": 2, "context": 12}).context == 12
    with pytest.raises(
        SpecError, match="context 11 does not hold a prompt of 10 and 2"
    ):
        scenario({"prompt": 10, "tokens": 2, "context": 11})
    with pytest.raises(SpecError, match="prefill_chunk 4 cuts a prompt and there is"):
        scenario({"prefill_chunk": 4})

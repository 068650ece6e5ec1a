from pathlib import Path

import pytest

from specs.errors import SpecError
from specs.machine import load_machine
from specs.model import load_model
from specs.scenario import Scenario, load_scenario, scenario


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

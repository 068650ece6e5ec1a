from pathlib import Path

import pytest

import specs.shipped_files
from specs.errors import spelling
from specs.machine import machine_names
from specs.model import model_names
from specs.shipped_files import shipped_as, shipped_names, shipped_path
from workloads.graphs.workload import workload_names

FOLDER = Path(specs.shipped_files.__file__).parent


def test_a_shipped_path_is_below_the_package() -> None:
    path = shipped_path("machines", "groqrack.toml")
    assert path == FOLDER / "machines" / "groqrack.toml"
    assert path.is_file()


@pytest.mark.parametrize(
    ("names", "folder", "suffix"),
    [
        (model_names(), "models", ".json"),
        (machine_names(), "machines", ".toml"),
        (workload_names(), "workloads", ".toml"),
    ],
)
def test_names_are_those_of_the_files_in_order(
    names: tuple[str, ...], folder: str, suffix: str
) -> None:
    assert names == shipped_names(folder, suffix)
    files = {path.name for path in (FOLDER / folder).glob(f"*{suffix}")}
    assert {name + suffix for name in names} == files
    assert list(names) == sorted(names)


def test_files_of_another_suffix_have_no_name() -> None:
    assert shipped_names("machines", ".csv") == ()


@pytest.mark.parametrize("said", ["Llama-3.1-8B", "meta-llama/llama_3.1_8b"])
def test_a_shipped_name_may_be_spelt_as_people_spell_it(said: str) -> None:
    assert shipped_as(said, model_names()) == "llama-3.1-8b"


def test_a_file_of_that_name_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "GroqRack").touch()
    assert shipped_as("GroqRack", machine_names()) == "GroqRack"
    assert shipped_as("x" * 5000, machine_names()) == "x" * 5000


@pytest.mark.parametrize("names", [model_names(), machine_names(), workload_names()])
def test_no_two_shipped_names_are_spelt_alike(names: tuple[str, ...]) -> None:
    assert len({spelling(name) for name in names}) == len(names)

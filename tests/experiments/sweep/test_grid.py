import math
import shutil
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.run.preparation import plan_scenario
from experiments.sweep.axes import read_axes
from experiments.sweep.grid import Sweep, SweepPoint, load_sweep, sweep_of, swept_number
from experiments.sweep.point import point_key
from specs.scenario import Scenario

NAMES = ("seed", "tokens", "context", "link.fifo_vectors")


def read(text: str) -> Sweep:
    table = tomllib.loads(text)
    return sweep_of({}, read_axes(table["sweep"], "mine.toml"), "mine.toml")


@given(
    st.lists(
        st.lists(st.integers(1, 99), min_size=1, max_size=4, unique=True),
        min_size=1,
        max_size=4,
    )
)
def test_a_grid_holds_every_crossing_once_the_last_axis_fastest(
    lists: list[list[int]],
) -> None:
    table = dict(zip(NAMES, lists, strict=False))
    sweep = sweep_of({}, read_axes(table, "grid"), "grid")
    rows = [tuple(point.swept.values()) for point in sweep.points]
    assert sweep.names == tuple(table)
    assert len(set(rows)) == len(rows) == math.prod(map(len, lists))
    places = [
        tuple(lists[i].index(value) for i, value in enumerate(row)) for row in rows
    ]
    assert places == sorted(places)


def test_zipped_axes_change_together_and_are_crossed_with_the_others() -> None:
    sweep = read(
        "[sweep]\nseed = [1, 2]\nchips = [8, 16]\ncontext = [64, 128]\n"
        'zip = [["context", "chips"]]'
    )
    said = [
        (p.scenario.seed, p.scenario.chips, p.scenario.context) for p in sweep.points
    ]
    assert said == [(1, 8, 64), (1, 16, 128), (2, 8, 64), (2, 16, 128)]


def test_settings_are_swept_by_path_or_in_tables() -> None:
    paths = read('[sweep]\n"link.ber" = [1e-9, 1e-6]')
    tables = read("[sweep.link]\nber = [1e-9, 1e-6]")
    assert paths.points == tables.points
    assert [p.scenario.settings for p in paths.points] == [
        {"link.ber": 1e-9},
        {"link.ber": 1e-6},
    ]


def test_parts_of_a_strategy_are_swept_one_by_one() -> None:
    axes = read_axes({"strategy.tensor": [4, 8]}, "mine.toml")
    base = {"strategy": "tensor=2,pipeline=3"}
    assert [p.scenario.strategy for p in sweep_of(base, axes, "").points] == [
        "tensor=4,pipeline=3",
        "tensor=8,pipeline=3",
    ]


@pytest.mark.parametrize(
    ("said", "part", "meant"),
    [
        ({"chips": 24}, {"data": [1, 2]}, ["tensor=8", "tensor=8,data=2"]),
        ({}, {"data": [1, 2]}, ["tensor=8", "tensor=8,data=2"]),
        ({"chips": 4}, {"attention": [0, 2]}, ["tensor=4", "tensor=4,attention=2"]),
        ({"chips": 24}, {"tensor": [2, 4]}, ["tensor=2", "tensor=4"]),
        (
            {"strategy": "tensor=4,attention=2"},
            {"attention": [0, 4], "layout": ["1d"]},
            ["tensor=4", "tensor=4,attention=4"],
        ),
    ],
    ids=str,
)
def test_what_is_not_said_of_a_strategy_is_as_usual(
    said: dict[str, object], part: dict[str, list[object]], meant: list[str]
) -> None:
    axes = read_axes({"strategy": part}, "mine.toml")
    points = sweep_of(said, axes, "mine.toml").points
    assert [p.scenario.strategy for p in points] == meant


def test_a_number_has_one_key_however_it_is_written() -> None:
    ways: list[object] = [1e-9, "1e-9", "0.000000001"]
    sweeps = [
        sweep_of({"settings": {"link.ber": way}}, read_axes({"seed": [1]}, ""), "")
        for way in ways
    ]
    assert len({point_key(each.points[0].scenario) for each in sweeps}) == 1


def test_sizes_of_the_model_are_swept_by_path(tiny_config: Path) -> None:
    axes = read_axes({"model.layers": [2, 6]}, "mine.toml")
    base = {"model": str(tiny_config), "chips": 8}
    plans = [plan_scenario(p.scenario) for p in sweep_of(base, axes, "").points]
    assert [prepared.model.layers for prepared in plans] == [2, 6]
    assert plans[1].plan.weight_bytes > plans[0].plan.weight_bytes


def test_a_number_of_chips_brings_a_split_that_fits_it() -> None:
    sweep = read("[sweep]\nchips = [4, 72]")
    assert [p.scenario.strategy for p in sweep.points] == ["tensor=4", "tensor=8"]


def test_files_are_found_from_where_the_sweep_lies(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    (tmp_path / "own.toml").write_text('base = "groqrack"\nname = "own"\n')
    path.write_text(
        'machine = "own.toml"\n[sweep]\nmodel = ["llama-2-70b", "a/config.json"]'
    )
    first, second = load_sweep(path).points
    assert first.scenario.model == "llama-2-70b"
    assert second.scenario.model == str(tmp_path / "a" / "config.json")
    assert second.scenario.machine == str(tmp_path / "own.toml")


def test_scripts_of_any_name_and_models_by_folder_are_found_there_too(
    tmp_path: Path, tiny_config: Path
) -> None:
    path = tmp_path / "mine.toml"
    for name in ("own", "gpt2"):
        shutil.copytree(tiny_config.parent, tmp_path / name)
    path.write_text('faults = "script"\n[sweep]\nmodel = ["own", "gpt2"]')
    own, shipped = load_sweep(path).points
    assert own.scenario.faults == str(tmp_path / "script")
    assert own.scenario.model == str(tmp_path / "own")
    # What is shipped goes before what is called the same.
    assert shipped.scenario.model == "gpt2"


@given(st.one_of(st.integers(-(2**53), 2**53), st.floats(allow_nan=False)))
def test_a_number_is_the_same_however_it_is_written(number: float) -> None:
    plain = swept_number(number)
    assert plain == number
    assert repr(swept_number(repr(number))) == repr(plain)


@pytest.mark.parametrize("value", [True, None, "rs544", "nan", "inf", [1]])
def test_what_is_no_number_stays_as_it_is(value: object) -> None:
    assert swept_number(value) is value


def test_a_point_is_named_by_its_swept_values() -> None:
    point = SweepPoint({"seed": 2, "link.ber": 1e-9}, Scenario(seed=2))
    assert str(point) == "seed=2 link.ber=1e-09"

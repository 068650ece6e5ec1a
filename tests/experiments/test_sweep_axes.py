import math
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.preparation import plan_scenario
from experiments.sweep_axes import (
    MOST_POINTS,
    Axis,
    Sweep,
    load_sweep,
    read_axes,
    sweep_of,
)
from specs.errors import SpecError

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


@given(st.integers(0, 50), st.integers(0, 50), st.integers(1, 7))
def test_a_range_ends_below_its_bound(first: int, below: int, step: int) -> None:
    table = {"seed": {"range": [first, below, step]}}
    if first >= below:
        with pytest.raises(SpecError, match="seed has no values"):
            read_axes(table, "mine.toml")
        return
    (axis,) = read_axes(table, "mine.toml")
    assert axis == Axis(("seed",), tuple((n,) for n in range(first, below, step)))


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


REFUSED = {
    "no sweep": ("chips = 8", ["mine.toml", "no [sweep] table", "simulate"]),
    "no axis": ("[sweep]", ["has no axis", "seed = [1, 2]"]),
    "only a zip": ('[sweep]\nzip = [["chips"]]', ["has no axis"]),
    "an empty axis": ("[sweep]\nseed = []", ["seed has no values"]),
    "a value that is no list": ("[sweep]\nseed = 3", ["seed = 3", "seed = [3]"]),
    "a list of lists": ("[sweep]\nseed = [[1]]", ["seed cannot be [1]"]),
    "no number": ('[sweep]\n"link.ber" = [nan]', ["link.ber cannot be nan"]),
    "a date": ("[sweep]\nseed = [2026-11-21]", ["seed cannot be", "numbers and words"]),
    "an empty word": ('[sweep]\nmodel = [""]', ["model cannot be ''"]),
    "an unknown parameter": (
        "[sweep]\nsead = [1, 2]",
        ["no parameter 'sead'", "did you mean 'seed'?"],
    ),
    "an unknown setting": (
        '[sweep]\n"link.bre" = [1, 2]',
        ["'link.bre'", "did you mean 'link.ber'?"],
    ),
    "an unknown size of the model": (
        '[sweep]\n"model.layer" = [1, 2]',
        ["'model.layer'", "did you mean 'model.layers'?"],
    ),
    "an unknown part of a strategy": (
        '[sweep]\n"strategy.tensr" = [1, 2]',
        ["'strategy.tensr'", "did you mean 'strategy.tensor'?"],
    ),
    "a misspelt setting of all points": (
        "[link]\nbre = 1e-9\n[sweep]\nseed = [1, 2]",
        ["'link.bre'", "did you mean 'link.ber'?"],
    ),
    "a misspelt key of all points": (
        "tokns = 1\n[sweep]\nseed = [1, 2]",
        ["'tokns'", "did you mean 'tokens'?"],
    ),
    "the same name in two ways": (
        '[sweep]\n"link.ber" = [0.1]\nlink.ber = [0.2]',
        ["link.ber is swept twice"],
    ),
    "the same name twice": ("[sweep]\nseed = [1]\nseed = [2]", ["not valid TOML"]),
    "a zip of unequal lengths": (
        '[sweep]\nchips = [8, 16]\nseed = [1]\nzip = [["chips", "seed"]]',
        ["chips has 2, seed has 1", "lengthen"],
    ),
    "a zip of what is no axis": (
        '[sweep]\nchips = [8]\nzip = [["chips", "sed"]]',
        ["zip names 'sed'", "known: chips"],
    ),
    "a zip of one axis twice": (
        '[sweep]\nchips = [8]\nseed = [1]\nzip = [["chips", "seed"], ["seed"]]',
        ["zip names 'seed' twice"],
    ),
    "a zip that is no list of groups": (
        '[sweep]\nchips = [8]\nzip = ["chips"]',
        ["zip = ['chips']", "write groups"],
    ),
    "a range of fractions": (
        '[sweep]\n"link.ber" = { range = [0.1, 0.5] }',
        ["whole numbers", "one by one"],
    ),
    "a range that stands still": (
        "[sweep]\nseed = { range = [1, 5, 0] }",
        ["{ range = [FROM, BELOW, STEP] }"],
    ),
    "a range without end": (
        "[sweep]\nseed = { range = [0, 1000000000000] }",
        ["seed has more than 100,000 values"],
    ),
    "too many points": (
        "[sweep]\nseed = { range = [0, 1000] }\ntokens = { range = [1, 1001] }",
        ["1,000,000 points", "100,000"],
    ),
    "the same point twice": (
        "[sweep]\nseed = [1, 2, 1]",
        ["points 1 and 3 are the same, seed=1"],
    ),
    "a value that cannot be meant": (
        "[sweep]\ntokens = [1, 0]",
        ["point tokens=0", "greater than or equal to 1"],
    ),
    "a value of the wrong kind": (
        '[sweep]\nchips = [8, "many"]',
        ["point chips=many", "'many'", "integer"],
    ),
}


@pytest.mark.parametrize(("text", "told"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_swept_is_refused_by_name(
    tmp_path: Path, text: str, told: list[str]
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(SpecError) as refusal:
        load_sweep(path)
    missing = [words for words in told if words not in str(refusal.value)]
    assert missing == [], refusal.value
    assert "\n" not in str(refusal.value)


def test_the_most_points_are_still_read() -> None:
    table: dict[str, Any] = {"seed": {"range": [0, MOST_POINTS]}}
    (axis,) = read_axes(table, "mine.toml")
    assert len(axis.steps) == MOST_POINTS

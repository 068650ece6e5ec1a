from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.sweep.axes import (
    MOST_POINTS,
    Axis,
    axis_values,
    check_names,
    parameters,
    read_axes,
    setting_names,
)
from experiments.sweep.grid import load_sweep
from specs.errors import SpecError


@given(st.integers(0, 50), st.integers(0, 50), st.integers(1, 7))
def test_a_range_ends_below_its_bound(first: int, below: int, step: int) -> None:
    table = {"seed": {"range": [first, below, step]}}
    if first >= below:
        with pytest.raises(SpecError, match="seed has no values"):
            read_axes(table, "mine.toml")
        return
    (axis,) = read_axes(table, "mine.toml")
    assert axis == Axis(("seed",), tuple((n,) for n in range(first, below, step)))


def test_the_values_of_axes_are_read_whatever_the_axes_are_of() -> None:
    table = {"price": {"years": [2, 4]}, "zip": [["x"]]}
    assert axis_values(table, "mine.toml") == {"price.years": [2, 4]}
    with pytest.raises(SpecError, match=r"no parameter 'price\.years'"):
        read_axes(table, "mine.toml")


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
    "truth for a number": (
        "[sweep]\ntokens = [true, 2]",
        ["point tokens=True", "tokens = True: must be a number"],
    ),
    "a part of no strategy": (
        'strategy = "auto"\n[sweep]\nstrategy.tensor = [2, 4]',
        ["strategy.tensor", "'auto' has none"],
    ),
    "a part of a plan": (
        'strategy = "mine.csv"\n[sweep]\nstrategy.tensor = [2, 4]',
        ["strategy.tensor", "mine.csv' has none"],
    ),
    "what a search seeks that is none": (
        '[sweep]\nobjective = ["latency", "chips"]',
        ["no point has one", "strategy = 'auto'"],
    ),
    "one number in two ways": (
        '[sweep]\nlink.ber = [1e-9, "1e-9"]',
        ["points 1 and 2 are the same"],
    ),
    "a whole number and a fraction that is one": (
        "[sweep]\nlink.ber = [0, 0.0]",
        ["points 1 and 2 are the same"],
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


def test_a_setting_of_machine_and_model_is_a_parameter_and_keys_of_a_strategy_too() -> (
    None
):
    names = setting_names()
    assert {"link.fifo_vectors", "clock.drift_ppm"} <= set(names)
    assert any(name.startswith("model.") for name in names)
    assert len(set(names)) == len(names)
    assert {"seed", "strategy.tensor", *names} <= set(parameters())
    assert "settings" not in parameters()


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    check_names(["seed"], ["seed", "chips"], "mine.toml")
    with pytest.raises(
        SpecError, match=r"mine\.toml: there is no parameter 'sed'.*seed"
    ):
        check_names(["chips", "sed"], ["seed", "chips"], "mine.toml")

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from specs.errors import SpecError
from specs.machine import MachineSpec, load_machine
from specs.synchronisation import ClockSpec, DeskewSpec, HacSpec
from specs.validation import build

HAC = load_machine().hac.model_dump()


@pytest.fixture
def groqrack() -> MachineSpec:
    return load_machine("groqrack")


@pytest.mark.parametrize(
    ("given_value", "kept"), [("auto", "auto"), (0, 0), (8, 8), ("8", 8)]
)
def test_the_deskew_interval_is_a_number_or_auto(
    groqrack: MachineSpec, given_value: Any, kept: object
) -> None:
    changed = groqrack.with_settings({"deskew.interval_epochs": given_value})
    assert changed.deskew.interval_epochs == kept


@pytest.mark.parametrize(
    ("model", "error_ppm"), [("ideal", 0.0), ("constant", 50.0), ("walk", 50.0)]
)
def test_only_an_ideal_crystal_has_no_error(model: Any, error_ppm: float) -> None:
    clock = ClockSpec(
        model=model, drift_ppm=50, walk_step_ppm=1, walk_stretch_cycles=100
    )
    assert clock.largest_error_ppm == error_ppm


def test_a_walking_crystal_steps_within_its_bound() -> None:
    clock = {"drift_ppm": 2, "walk_step_ppm": 3, "walk_stretch_cycles": 100}
    assert ClockSpec(model="constant", **clock).drift_ppm == 2
    with pytest.raises(ValidationError, match="walk_step_ppm 3 is more than drift_ppm"):
        ClockSpec(model="walk", **clock)


@given(st.integers(4, 10_000))
def test_a_window_is_a_power_of_two_and_a_refusal_names_one(window: int) -> None:
    nearest = 1 << window.bit_length() - 1
    if window == nearest:
        assert HacSpec(**{**HAC, "window_epochs": window}).window_epochs == window
    else:
        with pytest.raises(SpecError, match=rf"window_epochs .* such as {nearest}$"):
            build(HacSpec, {**HAC, "window_epochs": window}, "mine")


@given(st.integers(4, 10_000))
def test_exchanges_are_a_multiple_of_four_and_a_refusal_names_one(
    exchanges: int,
) -> None:
    if exchanges % 4 == 0:
        assert HacSpec(**{**HAC, "exchanges": exchanges}).exchanges == exchanges
    else:
        more = exchanges + 4 - exchanges % 4
        with pytest.raises(SpecError, match=rf"multiple of 4, such as {more}$"):
            build(HacSpec, {**HAC, "exchanges": exchanges}, "mine")


@pytest.mark.parametrize("interval", ["auto", 0, 3])
def test_a_deskew_interval_is_auto_or_a_number_of_epochs(interval: Any) -> None:
    assert DeskewSpec(interval_epochs=interval).interval_epochs == interval


def test_a_negative_deskew_interval_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"must be 'auto', 0 \(never\) or"):
        DeskewSpec(interval_epochs=-1)

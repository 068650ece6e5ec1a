"""Published figures as data: tolerances that follow from what the source says."""

from pathlib import Path

import pytest

from experiments.validation.published_figures import (
    FigureKind,
    ToleranceBasis,
    figures_of,
    published_figures,
    supported_tolerance,
)
from specs.errors import SpecError

ROOT = Path(__file__).parents[3]
GROUP = """
[[groups]]
title = "hops"
kind = "predicted"
source = "isca22"
within = "digits"
unit = "cycles"
rows = [{row}]

[reasons]
known = "a reason"
"""


@pytest.mark.parametrize(
    ("published", "absolute"),
    [("650", 0.5), ("0.35", 0.005), ("2.170", 0.0005), ("8e3", 500), ("68.98e9", 5e6)],
)
def test_digits_support_half_a_unit_of_the_last_one(
    published: str, absolute: float
) -> None:
    tolerance = supported_tolerance(published, ToleranceBasis.DIGITS)
    assert tolerance * float(published) == pytest.approx(absolute)


@pytest.mark.parametrize(
    ("within", "published", "bar", "tolerance"),
    [
        (ToleranceBasis.EXACT, "28", None, 0),
        (ToleranceBasis.RANGE, "240..300", None, 0),
        (ToleranceBasis.COUNT, "200", None, 0.005),
        (ToleranceBasis.ERROR_BARS, "200", "0.5", 0.0025),
        (ToleranceBasis.CHART, "200", "10 %", 0.1),
    ],
)
def test_a_tolerance_is_what_its_basis_says(
    within: ToleranceBasis, published: str, bar: str | None, tolerance: float
) -> None:
    assert supported_tolerance(published, within, bar) == pytest.approx(tolerance)


def test_error_bars_and_ranges_must_be_given() -> None:
    with pytest.raises(AssertionError, match="without a bar"):
        supported_tolerance("330", ToleranceBasis.CHART)
    with pytest.raises(AssertionError, match="330"):
        supported_tolerance("330", ToleranceBasis.RANGE)


def test_a_row_takes_what_it_does_not_say_from_its_group(tmp_path: Path) -> None:
    path = tmp_path / "published.toml"
    row = '{ name = "most", published = "..5", within = "range", disagrees = "known" }'
    path.write_text(GROUP.format(row=row), encoding="utf-8")
    (figure,) = published_figures(path)
    assert (figure.name, figure.published) == ("hops: most", (0, 5))
    assert (figure.source, figure.unit, figure.kind) == (
        *("isca22", "cycles", FigureKind.PREDICTED),
    )
    assert (figure.tolerance_from, figure.tolerance) == (ToleranceBasis.RANGE, 0)
    assert figure.reason == "a reason"


def test_a_key_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "published.toml"
    row = '{ name = "hop", published = "650", tolerance = 0.3 }'
    path.write_text(GROUP.format(row=row), encoding="utf-8")
    with pytest.raises(SpecError, match=r"\[groups\.0\.rows\.0\] has no key"):
        published_figures(path)


def test_every_figure_has_a_name_of_its_own_and_a_source_on_the_page() -> None:
    figures = published_figures()
    assert len({figure.name for figure in figures}) == len(figures)
    page = (ROOT / "docs" / "sources.md").read_text("utf-8")
    assert [f.source for f in figures if f"| `{f.source}` |" not in page] == []


def test_the_ten_steps_of_an_lstm_calibrate_at_batch_1_and_test_at_others() -> None:
    steps = [f for f in published_figures() if f.source == "gapi"]
    assert len(steps) == 10
    calibrated = {f.at["batch"] for f in steps if f.kind is FigureKind.CALIBRATED}
    predicted = {f.at["batch"] for f in steps if f.kind is FigureKind.PREDICTED}
    assert (calibrated, predicted) == ({1}, {3, 6, 8, 32})


def test_nothing_of_a_system_is_calibrated_and_the_ends_of_the_jitter_are_inputs() -> (
    None
):
    assert {f.kind for f in figures_of("Llama-2-70B on 576 chips")} == {"predicted"}
    (least,) = figures_of("Least link latency")
    (most,) = figures_of("Greatest link latency")
    assert (least.kind, least.published) == ("input", 209)
    assert (most.kind, most.published) == ("input", 228)
    links = figures_of("Mean link latency")
    assert min(f.at["least"] for f in links) == 209
    assert max(f.at["most"] for f in links) == 228

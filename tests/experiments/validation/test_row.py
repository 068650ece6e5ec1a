"""Comparisons with published figures: errors, tolerances and the printed table."""

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from experiments.validation.row import FigureKind, PublishedFigure, validation_report


def figure(
    published: float | tuple[float, float], ours: float, tolerance: float = 0.1
) -> PublishedFigure:
    return PublishedFigure(
        name="a hop",
        source="isca22",
        published=published,
        ours=ours,
        unit="cycles",
        tolerance=tolerance,
        kind=FigureKind.PREDICTED,
    )


def test_the_error_is_relative_and_signed() -> None:
    assert figure(100, 125).error == 0.25
    assert figure(100, 75).error == -0.25


@given(st.floats(240, 300))
def test_within_a_range_there_is_no_error(ours: float) -> None:
    assert figure((240, 300), ours, tolerance=0).ok


def test_outside_a_range_the_nearer_end_counts() -> None:
    assert figure((240, 300), 330).error == 0.1
    assert figure((240, 300), 180).error == -0.25


def test_a_figure_is_ok_up_to_its_tolerance() -> None:
    assert [figure(100, ours, 0.25).ok for ours in (75, 125, 126)] == [
        True,
        True,
        False,
    ]


def test_the_table_names_the_unit_and_marks_what_is_missed() -> None:
    console = Console(width=80, color_system=None)
    rows = [figure(100, 100, 0), figure((1.5e9, 2e9), 3e9)]
    with console.capture() as printed:
        console.print(validation_report(rows))
    heading, first, second = (line.split() for line in printed.get().splitlines())
    assert heading == ["figure", "published", "ours", "error", "within", "kind"]
    assert first[:4] == ["a", "hop", "(cycles)", "100"]
    assert first[4:] == ["100", "exact", "exact", "predicted", "ok"]
    assert second[3:6] == ["1.50", "G..2.00", "G"]
    assert second[-4:] == ["+50.0%", "10.0%", "predicted", "MISS"]


def test_json_has_the_error_and_whether_it_is_ok() -> None:
    row = figure(100, 125).to_dict()
    assert (row["error"], row["ok"], row["kind"]) == (0.25, False, "predicted")

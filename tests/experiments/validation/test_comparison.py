"""Comparisons with published figures: errors, tolerances and outcomes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.validation.comparison import Comparison, Outcome, compared, missed
from experiments.validation.published_figures import (
    FigureKind,
    PublishedFigure,
    ToleranceBasis,
    published_figures,
)


def row(
    published: float | tuple[float, float],
    ours: float,
    tolerance: float = 0.1,
    reason: str | None = None,
) -> Comparison:
    figure = PublishedFigure(
        group="hops",
        label="a hop",
        source="isca22",
        published=published,
        unit="cycles",
        kind=FigureKind.PREDICTED,
        tolerance=tolerance,
        tolerance_from=ToleranceBasis.CHART,
        at={},
        reason=reason,
    )
    return Comparison(figure, ours)


def test_the_error_is_relative_and_signed() -> None:
    assert row(100, 125).error == 0.25
    assert row(100, 75).error == -0.25


@given(st.floats(240, 300))
def test_within_a_range_there_is_no_error(ours: float) -> None:
    assert row((240, 300), ours, tolerance=0).ok


def test_outside_a_range_the_nearer_end_counts() -> None:
    assert row((240, 300), 330).error == 0.1
    assert row((240, 300), 180).error == -0.25
    assert row((0, 5), 6).error == 0.2
    assert [row((240, 300), ours).nearer_end for ours in (0, 250, 290)] == [
        240,
        240,
        300,
    ]
    assert [row((0, 5), ours).nearer_end for ours in (1, 6)] == [5, 5]


def test_a_figure_agrees_up_to_its_tolerance() -> None:
    assert [row(100, ours, 0.25).ok for ours in (74, 75, 125, 126)] == [
        *(False, True, True, False)
    ]


def test_only_disagreements_without_a_reason_are_missed() -> None:
    rows = [
        row(100, ours, reason=reason) for reason in (None, "why") for ours in (100, 150)
    ]
    assert [each.outcome for each in rows] == [
        *(Outcome.AGREES, Outcome.DISAGREES),
        *(Outcome.AGREES_AGAIN, Outcome.KNOWN),
    ]
    assert missed(rows) == [rows[1]]


def test_json_says_what_the_tolerance_comes_from_and_why_a_figure_disagrees() -> None:
    told = row(100, 125, reason="why").to_dict()
    assert (told["name"], told["group"]) == ("hops: a hop", "hops")
    assert (told["error"], told["ok"], told["kind"]) == (0.25, False, "predicted")
    assert (told["tolerance_from"], told["outcome"], told["reason"]) == (
        *("chart", "known disagreement", "why"),
    )


def test_no_figure_of_a_group_can_be_left_out_or_made_up() -> None:
    first = published_figures()[0].group
    with pytest.raises(AssertionError, match="outward ports of a node"):
        compared(first, {"cables of a node": 28})
    with pytest.raises(AssertionError, match=r"no such group: .*a figure"):
        compared("no such group", {"a figure": 1})

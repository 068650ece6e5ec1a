"""Published figures beside ours, each a test of its own."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from experiments.validation.all_rows import validation_rows
from experiments.validation.comparison import Comparison, Outcome
from experiments.validation.published_figures import (
    FigureKind,
    ToleranceBasis,
    published_figures,
)
from experiments.validation.report import validation_report

DOCS = Path(__file__).parents[2] / "docs"
FIGURES = {figure.name: figure for figure in published_figures()}


@pytest.fixture(scope="module")
def rows() -> dict[str, Comparison]:
    return {row.figure.name: row for row in validation_rows()}


@pytest.mark.parametrize(
    "name", FIGURES, ids=[f"{FIGURES[name].kind}: {name}" for name in FIGURES]
)
def test_a_published_figure_is_met_or_known_not_to_be(
    rows: dict[str, Comparison], name: str
) -> None:
    row = rows[name]
    told = f"{name}: {row.ours} {row.figure.unit}, published {row.figure.published}"
    assert row.outcome is not Outcome.DISAGREES, told
    # A reason that no longer holds must leave published.toml and docs/validation.md.
    assert row.outcome is not Outcome.AGREES_AGAIN, f"{told} is listed to disagree"


def test_every_figure_is_compared_in_the_order_of_the_data_file(
    rows: dict[str, Comparison],
) -> None:
    assert list(rows) == list(FIGURES)


def test_the_page_on_trust_shows_lines_of_the_report(
    rows: dict[str, Comparison],
) -> None:
    page = (DOCS / "trust.md").read_text("utf-8")
    (shown,) = re.findall(r"^```text\n(figure .*?)^```", page, re.DOTALL | re.MULTILINE)
    printed = io.StringIO()
    Console(width=80, file=printed).print(validation_report([*rows.values()]))
    lines = [line.rstrip() for line in printed.getvalue().splitlines()]
    missing = [line for line in shown.splitlines() if line not in [*lines, "..."]]
    assert missing == []


def test_the_page_on_validation_lists_the_known_disagreements_and_no_others() -> None:
    page = (DOCS / "validation.md").read_text("utf-8")
    listed = page.partition("## Known disagreements")[2].partition("\n## ")[0]
    items = [
        " ".join(item.split()) for item in re.split(r"^- ", listed, flags=re.MULTILINE)
    ]
    reasons: dict[str, list[str]] = {}
    for name, figure in FIGURES.items():
        if figure.reason:
            reasons.setdefault(figure.reason, []).append(name)
    assert len(items) == len(reasons) + 1
    for reason, names in reasons.items():
        (item,) = [item for item in items if item.endswith(reason)]
        groups = {FIGURES[name].group for name in names}
        assert all(group in item for group in groups), item


def test_only_ranges_and_what_is_written_in_full_have_no_tolerance() -> None:
    without = {
        figure.tolerance_from for figure in FIGURES.values() if not figure.tolerance
    }
    assert without == {ToleranceBasis.EXACT, ToleranceBasis.RANGE}
    exact = {
        figure.unit
        for figure in FIGURES.values()
        if figure.tolerance_from is ToleranceBasis.EXACT
    }
    assert exact == {
        *("cables", "ports", "chips", "racks", "hops", "bytes", "epochs", "cycles"),
        "GB",
    }


def test_inputs_are_met_or_the_model_is_not_given_them(
    rows: dict[str, Comparison],
) -> None:
    inputs = [row for row in rows.values() if row.figure.kind is FigureKind.INPUT]
    assert inputs
    assert all(row.ok for row in inputs)

"""The printed table of a validation: 80 columns, reasons, and what is new."""

import re
from dataclasses import replace

from rich.console import Console

from experiments.validation.comparison import Comparison
from experiments.validation.published_figures import (
    PublishedFigure,
    published_figures,
)
from experiments.validation.report import validation_report


def printed(rows: list[Comparison]) -> list[str]:
    console = Console(width=80, color_system=None)
    with console.capture() as text:
        console.print(validation_report(rows))
    return [line.rstrip() for line in text.get().splitlines()]


def off(figure: PublishedFigure, factor: float) -> Comparison:
    """Return a comparison beyond the figure's tolerance."""
    return Comparison(figure, figure.ends[1] * factor)


def test_every_figure_takes_one_line_of_80_columns_whatever_its_outcome() -> None:
    for factor in (1, 0.123456, 12.3456):
        lines = printed([off(figure, factor) for figure in published_figures()])
        rows = [line for line in lines if line.startswith("  ")]
        assert len(rows) == len(published_figures())
        assert not any("…" in line for line in lines)
        assert max(map(len, lines)) <= 80
        for line in rows:
            assert re.search(r" (dis)?agrees( [a-z])?$| (DIS)?AGREES !$", line), line


def test_a_group_has_a_heading_with_unit_kind_and_source() -> None:
    lines = printed([Comparison(figure, 1) for figure in published_figures()])
    assert "LSTM step at batch 1 (cycles): calibrated, gapi" in lines
    assert "Other simulators: predicted, astra, booksim" in lines


def test_a_row_says_published_ours_error_and_the_basis_of_its_tolerance() -> None:
    figures = {figure.name: figure for figure in published_figures()}

    def cells(name: str, ours: float) -> list[str]:
        (line,) = [
            line
            for line in printed([Comparison(figures[name], ours)])
            if line.startswith("  ")
        ]
        return line.split()

    one_hop = cells("Hop, SRAM to SRAM: one hop", 651.3)
    assert one_hop[2:] == [
        "650",
        "651.3",
        "+0.2%",
        "0.077%",
        "digits",
        "DISAGREES",
        "!",
    ]
    rate = replace(figures["Llama-2-70B on 576 chips: one user"], reason=None)
    figures[rate.name] = rate
    assert cells(rate.name, 250)[2:] == ["240..300", "250", "inside", "range", "agrees"]
    chips = cells("Sizes of the machine: chips of a rack", 72)
    assert chips[-5:] == ["72", "72", "exact", "exact", "agrees"]


def test_known_disagreements_have_letters_and_their_reasons_once() -> None:
    figure = replace(published_figures()[0], published=100.0, tolerance=0.1)
    rows = [
        Comparison(replace(figure, label=label, reason=reason), 120)
        for label, reason in (("one", "first"), ("two", "second"), ("three", "first"))
    ]
    lines = printed(rows)
    assert [line.split()[-1] for line in lines if line.startswith("  ")] == list("aba")
    assert lines.count("(a) first") == lines.count("(b) second") == 1
    assert lines[-1] == (
        "3 figures: 0 agree, 3 disagree as known, 0 disagree and are not known to"
    )


def test_what_is_new_is_named_below_the_table() -> None:
    figure = replace(published_figures()[0], published=100.0, tolerance=0.1)
    rows = [
        Comparison(replace(figure, label="worse"), 120),
        Comparison(replace(figure, label="better", reason="why"), 100),
    ]
    assert printed(rows)[-3:] == [
        "2 figures: 1 agree, 0 disagree as known, 1 disagree and are not known to",
        "! not known to disagree: Sizes of the machine: worse",
        "! known to disagree, and agrees now: Sizes of the machine: better",
    ]

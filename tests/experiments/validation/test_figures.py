"""Published figures, module by module: none is missed, and inputs are exact.

Those of the network take longest: `tests/validation` compares them with all others.
"""

from collections.abc import Callable

import pytest

from experiments.validation.all_rows import deployment_rows
from experiments.validation.chip import (
    chip_rows,
    link_rows,
    lstm_rows,
    model_rows,
    product_row,
)
from experiments.validation.lpx import lpx_rows
from experiments.validation.row import FigureKind, PublishedFigure
from experiments.validation.timing import timing_rows
from experiments.validation.wiring import wiring_rows

Rows = Callable[[], list[PublishedFigure]]
QUICK: list[Rows] = [
    link_rows,
    chip_rows,
    model_rows,
    lpx_rows,
    timing_rows,
    wiring_rows,
    deployment_rows,
]


@pytest.mark.parametrize("rows", QUICK)
def test_no_figure_is_missed_and_none_is_compared_twice(rows: Rows) -> None:
    figures = rows()
    assert [figure.name for figure in figures if not figure.ok] == []
    assert len({figure.name for figure in figures}) == len(figures) > 0


def test_chips_are_compared_by_two_lstms_and_the_worst_product() -> None:
    figures = chip_rows()
    assert figures == [*lstm_rows(), product_row()]
    assert [figure.published for figure in figures] == [670, 1958, (0.8, 1)]


def test_sizes_of_the_topology_are_exact() -> None:
    inputs = [row for row in wiring_rows() if row.kind is FigureKind.INPUT]
    assert len(inputs) == 10
    assert [row.ours for row in inputs] == [row.published for row in inputs]


def test_the_deployment_is_predicted_at_both_operand_widths() -> None:
    narrow, wide = deployment_rows()
    assert {narrow.kind, wide.kind} == {FigureKind.PREDICTED}
    # Twice the bytes to feed cannot make a token faster.
    assert narrow.ours > wide.ours

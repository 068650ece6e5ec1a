"""Our figures beside published ones, where a law of our own says what they must be.

All of them are compared in `tests/validation`.
"""

from experiments.validation.all_rows import in_order
from experiments.validation.chip import lstm_rows
from experiments.validation.comparison import Comparison
from experiments.validation.published_figures import FigureKind, published_figures
from experiments.validation.wiring import wiring_rows


def test_rows_are_put_in_the_order_of_the_data_file() -> None:
    rows = [Comparison(figure, 1) for figure in published_figures()]
    assert in_order(rows[::-1]) == rows


def test_sizes_of_the_topology_are_exact() -> None:
    counted = [
        row
        for row in wiring_rows()
        if row.figure.kind is FigureKind.INPUT and row.figure.unit != "fraction"
    ]
    assert len(counted) == 11
    assert [row.ours for row in counted] == [row.figure.published for row in counted]


def test_a_step_of_an_lstm_takes_longer_with_its_size_and_with_its_batch() -> None:
    cycles = {
        (row.figure.at["size"], row.figure.at["batch"]): row.ours for row in lstm_rows()
    }
    for size in (512, 1024):
        of_size = [cycles[size, batch] for batch in (1, 3, 6, 8, 32)]
        assert of_size == sorted(set(of_size))
    assert all(cycles[1024, b] > cycles[512, b] for b in (1, 3, 6, 8, 32))

"""The picture of all published figures: its files, and texts that do not overlap."""

from itertools import combinations
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.image import imread

from experiments import validation_figure
from experiments.plots.published_figures import published_figures_figure
from experiments.script.experiment_script import run_script
from experiments.validation.comparison import Comparison
from experiments.validation.published_figures import published_figures


def test_the_script_leaves_a_picture_and_a_row_for_each_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["validation_figure", "--quick", "--out", str(tmp_path)]
    monkeypatch.setattr("sys.argv", options)
    run_script(
        "validation_figure",
        "",
        validation_figure.experiment,
        validation_figure.COLUMNS,
    )
    rows = pd.read_csv(tmp_path / "validation_figure_rows.csv")
    kinds = pd.read_csv(tmp_path / "validation_figure.csv").set_index("kind")
    assert kinds["figures"].sum() == len(rows)
    assert (kinds["agree"] + kinds["known"] + kinds["new"]).sum() == len(rows)
    inside = rows["ratio"].between(rows["bar_low"], rows["bar_high"])
    # A ratio at the very end of a bar may differ in its last binary digit.
    assert (inside == rows["ok"]).mean() > 0.95
    assert imread(tmp_path / "validation_figure.png").ndim == 3
    report = capsys.readouterr().out.split("\nwrote ")[0]
    assert max(len(line) for line in report.splitlines()) <= 80


@pytest.mark.parametrize("factor", [1, 0.4, 1.9])
def test_no_two_texts_of_the_picture_overlap_and_none_is_cut_off(factor: float) -> None:
    rows = [
        validation_figure.ratio_row(Comparison(figure, figure.ends[1] * factor))
        for figure in published_figures()
    ]
    figure = published_figures_figure(rows)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    renderer = canvas.get_renderer()  # type: ignore[no-untyped-call]
    (axes,) = figure.axes
    texts = [*axes.texts, *axes.get_xticklabels(), *figure.legends[0].get_texts()]
    boxes = [text.get_window_extent(renderer) for text in texts if text.get_text()]
    # Boxes of lines that follow each other touch by a pixel.
    shrunk = [box.shrunk(0.98, 0.8) for box in boxes]
    assert not any(a.overlaps(b) for a, b in combinations(shrunk, 2))
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.x1 for box in boxes)
    beside = [text.get_window_extent(renderer) for text in axes.texts]
    assert all(box.x1 < axes.bbox.x0 or box.x0 > axes.bbox.x1 for box in beside)

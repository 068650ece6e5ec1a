"""Figure of a run: its breakdown, its stages and the slack of its links."""

import io

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.patches import Rectangle

from experiments.plots.run_figure import picture_bytes, run_figure
from experiments.run.scenario import Run


def bars(figure: Figure, panel: int) -> list[Rectangle]:
    return [each for each in figure.axes[panel].patches if isinstance(each, Rectangle)]


def test_the_same_figure_is_the_same_bytes_at_150_dots_an_inch() -> None:
    first, second = (picture_bytes(Figure(figsize=(2, 1))) for _ in range(2))
    assert first == second
    assert imread(io.BytesIO(first)).shape == (150, 300, 4)


def test_causes_of_a_token_lie_side_by_side_up_to_its_latency(small_run: Run) -> None:
    parts = bars(run_figure(small_run), 0)
    ends = np.cumsum([part.get_width() for part in parts])
    assert [part.get_x() for part in parts] == pytest.approx([0, *ends[:-1]])
    # 900 cycles are a microsecond.
    assert ends[-1] == pytest.approx(small_run.breakdown.total / 900)


def test_each_stage_is_a_bar_of_its_time(small_run: Run) -> None:
    stages = bars(run_figure(small_run), 1)
    heights = [stage.get_height() for stage in stages]
    cycles = small_run.schedule.timeline.stage_cycles
    assert heights == pytest.approx([each / 900 for each in cycles])


def test_levels_with_slack_are_named_with_their_links(small_run: Run) -> None:
    legend = run_figure(small_run).axes[2].get_legend()
    assert legend is not None
    names = [text.get_text().split(" (")[0] for text in legend.get_texts()]
    assert names == ["local", "rack"]

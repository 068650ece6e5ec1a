"""Figure of the strategy space: cells, breakdowns and the Pareto front."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from experiments.plots.sharding_sweep import CAUSES, sharding_sweep_figure


def figure_of(points: pd.DataFrame) -> Figure:
    table = pd.DataFrame(
        {
            "split": ["auto", "given"],
            "strategy": ["tensor=8,pipeline=2", "tensor=4,pipeline=4,layout=2d"],
            "feasible": True,
            **{f"{cause}_us": [1.0, 2.0] for cause in CAUSES},
        }
    )
    space = pd.DataFrame(
        {
            "tensor": [1, 1, 8],
            "pipeline": [1, 1, 2],
            "latency_bound_us": [9.0, 7.0, 5.0],
        }
    )
    return sharding_sweep_figure(table, space, points, "gpt2 on 16 chips")


def front(states: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "state": states,
            "latency_us": [float(1 + n) for n in range(len(states))],
            "tokens_per_s_all_users": [10.0 ** (1 + n) for n in range(len(states))],
            "chips": 16,
            "gap": 0.25,
        }
    )


def test_a_cell_has_the_least_bound_of_its_strategies() -> None:
    heat = figure_of(front(["front", "bound"])).axes[0]
    cells = np.ma.masked_invalid(np.asarray(heat.collections[0].get_array()))
    assert sorted(cells.compressed().tolist()) == [5.0, 7.0]
    assert heat.get_title(loc="left") == "All 3 that memory may hold"


def test_a_simulated_strategy_is_the_sum_of_its_causes() -> None:
    spent = figure_of(front(["front", "bound"])).axes[1]
    bars = [bar for bar in spent.patches if isinstance(bar, Rectangle)]
    tops = np.array([bar.get_y() + bar.get_height() for bar in bars])
    assert tops[-2:].tolist() == [len(CAUSES), 2.0 * len(CAUSES)]
    labels = [label.get_text() for label in spent.get_xticklabels()]
    assert labels == ["8x2 auto", "4x4 2d"]


@pytest.mark.parametrize("states", [["front", "bound"], ["front", "beaten"]])
def test_the_gap_is_told_only_if_strategies_are_left(states: list[str]) -> None:
    texts = [text.get_text() for text in figure_of(front(states)).axes[2].texts]
    assert len(texts) == ("bound" in states)
    assert all("25% worse" in text for text in texts)

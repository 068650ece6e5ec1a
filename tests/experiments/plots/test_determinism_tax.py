"""Figure of the determinism tax: steps of the waterfall and bars of the splits."""

import pandas as pd
import pytest
from matplotlib.patches import Rectangle

from experiments.plots.determinism_tax import CODES, PARTS, determinism_tax_figure

TABLE = pd.DataFrame(
    [
        {
            "tensor": width,
            "strategy": f"tensor={width},pipeline={16 // width}",
            "code": code,
            **{f"{part}_us": 1.0 for part in PARTS},
            "fec_us": float(place),
            "tax_us": 5.0 + place,
            "tax_percent": 5.0 + place,
            "ideal_us": 100.0,
            "start_epochs": 5,
            "start_us": 1.4,
        }
        for width in (4, 8)
        for place, code in enumerate(CODES)
    ]
)


def test_steps_add_up_to_the_total_of_each_code() -> None:
    axes = determinism_tax_figure(TABLE, 16).axes[0]
    steps = [text.get_text() for text in axes.texts[:-1]]
    # Five parts of 1 us, then each code adds 1 us of decoding.
    assert steps == ["+1.0"] * 5 + ["5.0", "+1.0", "6.0", "+1.0", "7.0"]


def test_a_split_is_a_bar_of_shares_of_its_ideal_token() -> None:
    axes = determinism_tax_figure(TABLE, 16).axes[1]
    bars = [bar for bar in axes.patches if isinstance(bar, Rectangle)]
    # Two codes, six parts, two splits; in percent of 100 us.
    assert len(bars) == 2 * len(PARTS) * 2
    assert sum(bar.get_height() for bar in bars) == pytest.approx(2 * (6 + 7))
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert labels == ["4 x 4", "8 x 2"]

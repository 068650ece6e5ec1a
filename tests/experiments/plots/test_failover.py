"""Figure of failovers: bars of tokens by cause, and of the cost by host rate."""

import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from experiments.plots.failover import failover_figure

SCENARIOS = ["link dies", "chip stops", "no spare"]


@pytest.fixture(scope="module")
def figure() -> Figure:
    table = pd.DataFrame(
        {
            "scenario": ["link dies", "link dies", "chip stops", "no spare"],
            "host_gb_per_s": [20.0, 10.0, 10.0, 10.0],
            "damaged_us": 2_000.0,
            "drain_us": 0.0,
            "detect_us": 100.0,
            "load_us": [3_000.0, 6_000.0, 6_000.0, 0.0],
            "bring_up_us": 200.0,
            "kv_us": 4_000.0,
            "start_us": 1_000.0,
            "fullest_program_bytes": 1,
            "fullest_weight_bytes": 2,
            "tokens_missing": [0, 0, 0, 1],
            "tokens_wanted": 2,
            "reason": ["", "", "", "no spare node left"],
        }
    )
    tokens = pd.DataFrame(
        [
            {
                "scenario": name,
                "token": token,
                "attempts": 1 + token,
                "begin_us": 1_000.0 * token,
                "latency_us": 1_000.0 + 9_000.0 * token,
                "schedule_us": 1_000.0,
                "replay_us": 2_000.0 * token,
                "detect_us": 100.0 * token,
                "load_us": 1_000.0 * token,
                "bring_up_us": 900.0 * token,
                "kv_us": 4_000.0 * token,
                "start_us": 1_000.0 * token,
            }
            for name in SCENARIOS
            for token in range(2 if name != "no spare" else 1)
        ]
    )
    return failover_figure(table, tokens)


def heights(figure: Figure, panel: str) -> list[float]:
    (axes,) = (each for each in figure.axes if each.get_label() == panel)
    return [bar.get_height() for bar in axes.patches if isinstance(bar, Rectangle)]


def test_a_token_is_its_causes_one_on_another_in_ms(figure: Figure) -> None:
    # Causes after each other, of both tokens.
    bars = heights(figure, "link dies")
    assert bars[:2] == [1.0, 1.0]
    assert bars[2::2] == [0.0] * 6
    assert bars[3::2] == pytest.approx([2.0, 0.1, 1.0, 0.9, 4.0, 1.0])


def test_a_load_is_split_by_bytes_and_rates_are_in_order(figure: Figure) -> None:
    slow, fast = heights(figure, "cost")[::2], heights(figure, "cost")[1::2]
    # Damaged attempts, drain, detection, programs, weights, bring-up, KV cache, start.
    assert slow == pytest.approx([2.0, 0.0, 0.1, 2.0, 4.0, 0.2, 4.0, 1.0])
    assert fast == pytest.approx([2.0, 0.0, 0.1, 1.0, 2.0, 0.2, 4.0, 1.0])


def test_missing_tokens_are_named_with_the_reason(figure: Figure) -> None:
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert "1 of 2 missing: no spare node left" in texts

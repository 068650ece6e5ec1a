"""Figure of drifting crystals: a point for each run, a mark for each seed."""

import numpy as np
import pandas as pd

from experiments.plots.drift import drift_figure

RUNS = pd.DataFrame(
    {
        "interval_epochs": 40,
        "ppm": [10.0, 100.0] * 2,
        "case": ["no jitter"] * 2 + ["jitter"] * 2,
        "first_violation_us": [200.0, 20.0, 190.0, 19.0],
    }
)
CURVES = pd.DataFrame(
    {
        "interval_epochs": 40,
        "interval_us": 11.2,
        "ppm": [10.0, 100.0],
        "closed_form_us": [200.0, 20.0],
        "earliest_us": [150.0, 15.0],
        "latest_us": [199.0, 19.9],
    }
)
LIMITS = pd.DataFrame(
    {
        "interval_epochs": 40,
        "planned_ppm": 50.0,
        "bound_ppm": 60.0,
        "first_violating_ppm": [80.0, 70.0, 90.0],
        "misread": [False, True, False],
    }
)


def test_each_run_is_a_point_of_its_case() -> None:
    left, _ = drift_figure(RUNS, CURVES, LIMITS).axes
    curve, steady, jitter, _ = left.lines
    assert np.asarray(curve.get_ydata()).tolist() == [200.0, 20.0]
    assert np.asarray(steady.get_ydata()).tolist() == [200.0, 20.0]
    assert np.asarray(jitter.get_ydata()).tolist() == [190.0, 19.0]


def test_seeds_are_marked_by_whether_a_deskew_misread_the_drift() -> None:
    _, right = drift_figure(RUNS, CURVES, LIMITS).axes
    beyond, misread, *_ = right.lines
    assert np.asarray(beyond.get_ydata()).tolist() == [80.0, 90.0]
    assert np.asarray(misread.get_ydata()).tolist() == [70.0]
    assert [text.get_text() for text in right.texts] == [
        "promised 60 ppm\nfirst broken 70"
    ]

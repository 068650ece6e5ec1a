import json

import pandas as pd
import pytest

from experiments.html_report.run_folder import RunFolder
from experiments.html_report.service_view import (
    MOST_POINTS,
    latency_curve,
    service_view,
    waiting,
)

PS_PER_S = 10**12


def test_the_view_of_served_requests_holds_their_numbers(served: RunFolder) -> None:
    view = service_view(served)
    assert view["slots"] == served.summary["frame"]["slots"] == 4
    assert view["all_requests"] == view["requests"]["rows"] == 40
    curve = view["latencies"]["ttft"]
    middle = next(
        ms
        for ms, share in zip(curve["latency_ms"], curve["share"], strict=True)
        if share >= 0.5
    )
    assert middle == pytest.approx(served.summary["median_ttft_ms"], abs=1e-6)
    json.dumps(view, allow_nan=False)


def test_a_long_distribution_keeps_its_tail() -> None:
    count = 100 * MOST_POINTS
    ranks = pd.Series(range(1, count + 1))
    done = pd.DataFrame({"ttft_ps": ranks * 10**9, "output_tokens": 5})
    curve = latency_curve(done, "ttft")
    assert len(curve["share"]) <= MOST_POINTS
    assert (curve["latency_ms"][-1], curve["share"][-1]) == (count, 1)
    assert sum(share > 0.99 for share in curve["share"]) > MOST_POINTS / 4


def test_the_queue_is_a_mean_and_a_most_in_each_part_of_the_time() -> None:
    # One waits from 0 s to 150 s, another from 0 s to 75 s; the last ends at 300 s.
    done = pd.DataFrame(
        {
            "arrival_ps": [0, 0],
            "admitted_ps": [150 * PS_PER_S, 75 * PS_PER_S],
            "end_ps": [300 * PS_PER_S, 100 * PS_PER_S],
        }
    )
    queue = waiting(done).set_index("time_s")
    assert len(queue) == 300
    assert queue.loc[[10]].to_numpy().tolist() == [[2, 2]]
    assert queue.loc[[100]].to_numpy().tolist() == [[1, 1]]
    assert queue.loc[[200]].to_numpy().tolist() == [[0, 0]]
    assert waiting(done.head(0)).empty

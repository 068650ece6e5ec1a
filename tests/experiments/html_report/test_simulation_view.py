import json
from typing import Any

import pandas as pd
import pytest

from experiments.html_report.run_folder import RunFolder
from experiments.html_report.simulation_view import (
    MOST_LINKS,
    last_replica,
    notable_links,
    operator_cycles,
    simulation_view,
    slack_counts,
    sram_changes,
    with_slack,
)


def links(count: int) -> pd.DataFrame:
    numbers = pd.Series(range(count))
    return pd.DataFrame(
        {
            "link": numbers,
            "target": numbers % 7,
            "level": "local",
            "busy_ps": numbers,
            "min_slack_cycles": numbers + 0.25,
        }
    )


def test_the_view_of_a_run_holds_its_own_numbers(simulated: RunFolder) -> None:
    view: dict[str, Any] = simulation_view(simulated)
    summary, tables = simulated.summary, simulated.tables
    assert view["breakdown"] == summary["iteration"]["breakdown_cycles"]
    assert view["schedule"] == summary["schedule"]
    assert (view["used_links"], view["all_links"]) == (
        (tables["links"]["vectors"] > 0).sum(),
        len(tables["links"]),
    )
    assert view["chips"]["rows"] == len(tables["chips"])
    assert view["tokens"]["rows"] == view["all_tokens"] == len(tables["tokens"])
    json.dumps(view, allow_nan=False)


def test_operators_add_up_to_the_cycles_of_the_summary(simulated: RunFolder) -> None:
    cycles = operator_cycles(simulated.tables["timeline"])
    exchange = cycles["kind"] == "exchange"
    spent = simulated.summary["iteration"]["breakdown_cycles"]
    assert cycles.loc[~exchange, "path_cycles"].sum() == spent["compute"]
    hidden = simulated.summary["schedule"]["hidden_cycles"]
    assert cycles["hidden_cycles"].sum() == hidden > 0
    assert cycles["path_cycles"].is_monotonic_decreasing


def test_a_chip_has_the_least_slack_of_the_links_to_it() -> None:
    chips = with_slack(pd.DataFrame({"chip": [3, 9]}), links(21))
    assert chips["least_slack_cycles"].tolist()[0] == 3.25
    assert chips["least_slack_cycles"].isna().tolist() == [False, True]


def test_of_many_links_the_latest_and_the_busiest_are_kept() -> None:
    kept = notable_links(links(3 * MOST_LINKS))["link"].tolist()
    half = MOST_LINKS // 2
    most = 3 * MOST_LINKS
    assert kept == [*range(half), *range(most - half, most)]


def test_links_are_counted_by_whole_cycles_of_slack() -> None:
    table = links(3).assign(min_slack_cycles=[-0.5, 2.0, 2.9])
    counts = slack_counts(table)
    assert counts["slack_cycles"].tolist() == [-1, 2]
    assert counts["links"].tolist() == [1, 2]


@pytest.mark.parametrize(("second", "last"), [(90, 0), (150, 1)])
def test_the_replica_that_ends_last_is_shown(second: int, last: int) -> None:
    starts = {"replica": [0, 1], "start_cycle": [0, 0]}
    timeline = pd.DataFrame({**starts, "duration_cycles": [100, second]})
    assert last_replica(timeline) == last
    assert last_replica(timeline.head(0)) == 0


def test_of_too_many_changes_in_sram_the_fullest_chip_stays() -> None:
    half = 15_000
    table = pd.DataFrame(
        {"chip": [1] * half + [2] * half, "free_bytes": [50] * half + [7] * half}
    )
    assert set(sram_changes(table)["chip"]) == {2}
    assert sram_changes(table.head(10)).equals(table.head(10))

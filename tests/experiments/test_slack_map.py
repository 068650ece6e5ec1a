from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from experiments import slack_map
from experiments.plots.slack_map import slack_cells, slack_figure
from experiments.run.scenario import Run
from experiments.tables.run_tables import links_table
from fabric.replay import replay
from specs.faults import ChipStops
from topologies.selection import select_topology

Experiment = Callable[..., str]


@pytest.fixture(scope="module")
def left(
    experiment: Experiment, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """Return the folder that a quick run left, and what it printed."""
    folder = tmp_path_factory.mktemp("slack")
    return folder, experiment("slack_map", "--quick", "--out", folder)


def test_it_leaves_two_tables_and_a_picture_and_prints_80_columns(
    left: tuple[Path, str],
) -> None:
    folder, printed = left
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["slack_map.csv", "slack_map.png", "slack_map_links.csv"]
    assert imread(folder / "slack_map.png").ndim == 3
    table = pd.read_csv(folder / "slack_map.csv")
    assert slack_map.SHOWN.keys() <= set(table.columns)
    assert max(map(len, printed.split("\nwrote ")[0].splitlines())) <= 80


def test_a_level_has_the_slack_of_its_links(left: tuple[Path, str]) -> None:
    by_level = pd.read_csv(left[0] / "slack_map.csv")
    by_link = pd.read_csv(left[0] / "slack_map_links.csv")
    assert by_level["links"].tolist() == [504, 288, 4032, 1152, 1152]
    for row in by_level.to_dict("records"):
        links = by_link[
            (by_link["chips"] == row["chips"]) & (by_link["level"] == row["level"])
        ]
        used = links[links["vectors"] > 0]["min_slack_cycles"]
        assert len(used) == row["used"]
        assert (used.min(), used.max()) == (row["least"], row["most"])
    # Nothing is late, and the guard band is not wasted: its jitter is used.
    assert (by_level["least"] > 0).all()
    assert (by_level["least"] < by_level["guard_cycles"]).all()


@pytest.mark.parametrize(("chips", "racks"), [(8, 1), (72, 1), (576, 8)])
def test_every_link_has_a_cell_of_its_own(chips: int, racks: int) -> None:
    topology = select_topology(chips)
    links = len(topology.source)
    cells = slack_cells(topology, np.arange(links, dtype=np.float64))
    assert not cells.duplicated(["rack", "column", "port"]).any()
    assert cells["rack"].nunique() == racks
    assert cells["column"].between(0, min(chips, 72) - 1).all()
    assert cells["slack_cycles"].tolist() == list(range(links))
    # Chips of a node stand side by side.
    node = cells["rack"] * 9 + cells["column"] // 8
    assert node.tolist() == topology.node[topology.target].tolist()


def test_a_vector_that_is_ever_so_late_is_still_a_picture(small_run: Run) -> None:
    links = small_run.result.links
    spread_ps = np.linspace(-(10**15), 10**6, len(links.link)).astype(np.int64)
    late = replace(links, least_slack_ps=spread_ps)
    run = replace(small_run, result=replace(small_run.result, links=late))
    histogram = slack_figure(run).axes[1]
    assert 2 <= len(histogram.patches) <= 3 * 125
    assert histogram.get_xlim()[0] < -(10**8)


def test_a_map_says_when_a_vector_was_late(small_run: Run) -> None:
    links = small_run.result.links
    late = replace(links, least_slack_ps=links.least_slack_ps - 50_000)
    run = replace(small_run, result=replace(small_run.result, links=late))
    titles = [str(slack_figure(each).get_suptitle()) for each in (small_run, run)]
    assert "no vector was there less than" in titles[0]
    assert "late" not in titles[0]
    assert "a vector was" in titles[1]
    assert "cycles late" in titles[1]


def test_a_link_on_which_everything_was_lost_has_no_slack(small_run: Run) -> None:
    prepared, program = small_run.prepared, small_run.schedule.program
    sender = int(prepared.topology.source[program.trains.link[0]])
    result = replay(
        program,
        prepared.topology,
        prepared.machine,
        seed=1,
        tokens=1,
        faults=(ChipStops(at_us=0, chip=sender),),
    )
    table = links_table(replace(small_run, result=result))
    dead = (table["source"] == sender) & (table["trains_lost"] > 0)
    assert dead.any()
    assert table.loc[dead, "min_slack_cycles"].isna().all()
    assert table["min_slack_cycles"].max() < 1_000

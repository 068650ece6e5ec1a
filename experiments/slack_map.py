"""How close does each link come to being late?

Tokens are decoded on a rack of 72 chips and on the 576 of a deployed system. The slack
of a directed link is the least time that a vector waits in the receive FIFO. It is
shown as a map of chips and ports, and by level of the topology, beside the guard band
of the schedule.
"""

import matplotlib.style
import pandas as pd
from matplotlib.figure import Figure

from experiments.plots.run_figure import STYLE
from experiments.plots.slack_map import draw_slack
from experiments.run.scenario import Run, run_scenario
from experiments.script.experiment_script import run_script
from experiments.tables.run_tables import links_table
from specs.scenario import Scenario
from topologies.topology import Topology

MACHINES = (
    ("llama-2-7b", 72, "tensor=8,pipeline=9"),
    ("llama-2-70b", 576, "tensor=8,pipeline=72"),
)
TOKENS = 100
QUICK_TOKENS = 4
SHOWN = {
    "chips": "chips",
    "level": "level",
    "links": "links",
    "used": "used",
    "guard_cycles": "guard cycles",
    "least": "least",
    "median": "median",
    "most": "most slack",
}
# Height in inches: the space around the racks, and a rack.
_AROUND, _RACK = 2.6, 0.55


def experiment(
    seed: int, quick: bool
) -> tuple[pd.DataFrame, Figure, dict[str, pd.DataFrame]]:
    """Run the experiment: slack by level of both machines, the figure, all links."""
    runs = [
        run_scenario(
            Scenario(
                model=model,
                chips=chips,
                strategy=strategy,
                tokens=QUICK_TOKENS if quick else TOKENS,
                seed=seed,
                engine="replay",
            )
        )
        for model, chips, strategy in MACHINES
    ]
    by_link = pd.concat([_links(run) for run in runs], ignore_index=True)
    by_level = pd.concat([_by_level(_links(run)) for run in runs], ignore_index=True)
    return by_level, _figure(runs), {"links": by_link}


def _links(run: Run) -> pd.DataFrame:
    """Return the experiment's row of each link: position on the map, and slack."""
    topology: Topology = run.prepared.topology
    table = links_table(run)[
        ["link", "source", "target", "level", "vectors", "min_slack_cycles"]
    ]
    return table.assign(
        chips=run.prepared.scenario.chips,
        rack=topology.rack[topology.target],
        node=topology.node[topology.target],
        port=topology.target_port,
        guard_cycles=run.schedule.program.guard_cycles,
    )


def _by_level(links: pd.DataFrame) -> pd.DataFrame:
    """Return the experiment's least, median and most slack by level, in cycles."""
    groups = links.groupby(["chips", "level", "guard_cycles"], sort=False)
    return (
        groups["min_slack_cycles"]
        .agg(links="size", used="count", least="min", median="median", most="max")
        .reset_index()
    )


def _figure(runs: list[Run]) -> Figure:
    """Return the experiment's figure of its table."""
    racks = [len(set(run.prepared.topology.rack.tolist())) for run in runs]
    heights = [_AROUND + _RACK * count for count in racks]
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(12, sum(heights)), layout="constrained")
        grid = figure.add_gridspec(len(runs), 1, height_ratios=heights)
        for number, run in enumerate(runs):
            draw_slack(figure.add_subfigure(grid[number]), run)
    return figure


if __name__ == "__main__":
    run_script("slack_map", __doc__ or "", experiment, SHOWN)

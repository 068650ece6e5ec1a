"""Slack map of a run, drawn into a part of a figure."""

from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure

from experiments.plots.slack_map import draw_slack
from experiments.run.scenario import Run
from experiments.tables.run_tables import links_table


def test_a_map_and_a_histogram_are_drawn_into_one_part_of_a_figure(
    small_run: Run,
) -> None:
    figure = Figure(figsize=(12, 4))
    halves = figure.add_gridspec(1, 2)
    left, right = (figure.add_subfigure(halves[0, place]) for place in (0, 1))
    draw_slack(left, small_run)
    assert right.axes == []
    grid, histogram, bar = left.axes
    assert bar.get_ylabel() == "least slack (cycles)"
    # Every link that was used is in a cell and in a bar.
    table = links_table(small_run)
    used = table["min_slack_cycles"].dropna()
    shown = grid.images[0].get_array()
    assert shown is not None
    assert np.sort(np.ma.masked_invalid(shown).compressed()).tolist() == (
        np.sort(used.to_numpy()).tolist()
    )
    guard = small_run.schedule.program.guard_cycles
    assert histogram.get_xlabel().endswith(
        f"guard band, {guard} cycles = {guard / 0.9:.0f} ns"
    )
    assert left.get_suptitle() == (
        f"{small_run.prepared.name} on 20 chips, tensor=5,pipeline=4: no vector was "
        f"there less than {used.min():,.1f} cycles early"
    )


def test_a_run_that_used_no_link_has_an_empty_map(small_run: Run) -> None:
    links = small_run.result.links
    unused = replace(
        links, **{name: getattr(links, name)[:0] for name in links.__slots__}
    )
    run = replace(small_run, result=replace(small_run.result, links=unused))
    figure = Figure()
    draw_slack(figure, run)
    grid, histogram, _ = figure.axes
    shown = grid.images[0].get_array()
    assert shown is not None
    assert np.ma.masked_invalid(shown).count() == 0
    assert histogram.get_legend() is None
    assert figure.get_suptitle().endswith("tensor=5,pipeline=4")

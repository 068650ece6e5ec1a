import numpy as np
import pytest
from matplotlib.collections import LineCollection
from scipy.spatial.distance import pdist

from experiments.plots.topology_drawing import chip_places, topology_figure
from topologies.selection import select_topology


@pytest.mark.parametrize(
    ("chips", "kind"),
    [(8, "auto"), (72, "auto"), (264, "nodes33"), (576, "auto"), (64, "torus:8x8")],
)
def test_no_two_chips_are_drawn_over_each_other(chips: int, kind: str) -> None:
    place = chip_places(select_topology(chips, kind))
    assert pdist(place).min() == pytest.approx(1)


def test_chips_of_a_node_stand_nearer_to_each_other_than_to_any_other() -> None:
    machine = select_topology(144)
    place = chip_places(machine)
    distance = np.linalg.norm(place[:, np.newaxis] - place, axis=2)
    for group in (machine.node, machine.rack):
        same = group[:, np.newaxis] == group
        middle = np.stack([place[group == g].mean(axis=0) for g in np.unique(group)])
        own = np.linalg.norm(place - middle[group], axis=1)
        assert 2 * own.max() < np.linalg.norm(middle[0] - middle[1])
        assert distance[same].max() <= 2 * own.max() + 1e-9


def test_every_pair_of_neighbours_is_one_line_as_wide_as_its_cables() -> None:
    figure = topology_figure(select_topology(16, "torus:4x4*2"))
    (lines,) = [
        drawn for drawn in figure.axes[0].collections if type(drawn) is LineCollection
    ]
    assert len(lines.get_segments()) == 32
    single = topology_figure(select_topology(16, "torus:4x4")).axes[0].collections[0]
    assert lines.get_linewidth() == pytest.approx(2 * np.array(single.get_linewidth()))


def test_the_legend_counts_cables_by_level_and_chips_without_work() -> None:
    (legend,) = topology_figure(select_topology(130)).legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "144 global (5 m)",
        "144 rack (2 m)",
        "504 local (0.75 m)",
        "14 chips that only forward",
    ]

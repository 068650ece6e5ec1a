import math
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from topologies.builders.torus_and_butterfly import (
    flattened_butterfly_topology,
    torus_topology,
)
from topologies.topology import Level

shapes = st.lists(st.integers(2, 6), min_size=1, max_size=4).map(tuple)


def same(graph: "nx.Graph[Any]", topology_graph: "nx.MultiGraph[int]") -> bool:
    plain = nx.convert_node_labels_to_integers(graph, ordering="sorted")
    edges = {frozenset(ends) for ends in plain.edges}
    return edges == {frozenset(ends) for ends in topology_graph.edges(keys=False)}


@given(shapes)
def test_a_torus_is_the_periodic_grid(shape: tuple[int, ...]) -> None:
    grid = nx.grid_graph(dim=tuple(reversed(shape)), periodic=True)
    topology = torus_topology(shape, ports_per_chip=99)
    assert topology.links == grid.number_of_edges()
    assert same(grid, topology.to_networkx())


@given(shapes)
def test_a_flattened_butterfly_links_whoever_differs_in_one_coordinate(
    shape: tuple[int, ...],
) -> None:
    topology = flattened_butterfly_topology(shape, ports_per_chip=99)
    place = np.stack(np.unravel_index(np.arange(topology.chips), shape))
    different = place[:, topology.source] != place[:, topology.target]
    assert (different.sum(axis=0) == 1).all()
    ends = set(zip(topology.source.tolist(), topology.target.tolist(), strict=True))
    assert len(ends) == math.prod(shape) * sum(side - 1 for side in shape)


@given(shapes, st.integers(0, 5), st.integers(1, 2))
def test_moving_every_chip_alike_changes_nothing(
    shape: tuple[int, ...], step: int, lanes: int
) -> None:
    for build in (torus_topology, flattened_butterfly_topology):
        topology = build(shape, lanes=lanes, ports_per_chip=99)

        def moved(chip: "np.ndarray[Any, Any]", by: int) -> list[int]:
            place = np.stack(np.unravel_index(chip, shape)) + by
            place %= np.array(shape)[:, np.newaxis]
            return [int(c) for c in np.ravel_multi_index(tuple(place), shape)]

        def cables(by: int, topology: Any = topology) -> set[tuple[int, ...]]:
            return set(
                zip(
                    moved(topology.source, by),
                    topology.source_port.tolist(),
                    moved(topology.target, by),
                    topology.target_port.tolist(),
                    strict=True,
                )
            )

        assert cables(0) == cables(step)


def test_a_hypercube_and_a_full_mesh_are_flattened_butterflies() -> None:
    cube = flattened_butterfly_topology((2,) * 6)
    assert cube.name == "hypercube:6"
    assert same(nx.hypercube_graph(6), cube.to_networkx())
    mesh = flattened_butterfly_topology((8,))
    assert (mesh.name, mesh.links) == ("full-mesh:8", 28)


def test_lanes_are_cables_side_by_side() -> None:
    torus = torus_topology((8, 8), lanes=2)
    assert torus.name == "torus:8x8*2"
    assert set(torus.adjacency().count.tolist()) == {2}


@pytest.mark.parametrize(("shape", "rack", "between"), [((8, 9), 144, 0)])
def test_a_cable_is_as_long_as_the_distance_of_racks(
    shape: tuple[int, ...], rack: int, between: int
) -> None:
    levels = np.bincount(torus_topology(shape).level[::2], minlength=3)
    assert levels.tolist() == [0, rack, between]
    two_racks = torus_topology((8, 18))
    across = two_racks.rack[two_racks.source] != two_racks.rack[two_racks.target]
    assert np.array_equal(across, two_racks.level == Level.GLOBAL)
    assert set(two_racks.length_m[across].tolist()) == {5.0}
    assert set(two_racks.length_m[~across].tolist()) == {2.0}

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from topologies.routing.minimal_paths import (
    NO_LINK,
    LinksOfPairs,
    MinimalPaths,
    minimal_paths,
)
from topologies.routing.static_routes import Routes
from topologies.selection import select_topology

MACHINES = {
    "node": select_topology(8),
    "rack": select_topology(72),
    "33 nodes": select_topology(264, "nodes33"),
    "two racks": select_topology(144),
}


@given(name=st.sampled_from(sorted(MACHINES)), data=st.data())
def test_many_paths_are_those_that_routes_takes_one_by_one(
    name: str, data: st.DataObject
) -> None:
    topology = MACHINES[name]
    chips = st.integers(0, topology.chips - 1)
    pairs = data.draw(st.lists(st.tuples(chips, chips), min_size=1, max_size=20))
    paths = minimal_paths(topology, *np.array(pairs, dtype=np.int64).T)
    routes = Routes(topology)
    for row, (source, target) in zip(paths.tolist(), pairs, strict=True):
        path = tuple(link for link in row if link != NO_LINK)
        assert path == routes.path(source, target)
        assert all(link == NO_LINK for link in row[len(path) :])


@pytest.mark.parametrize("goals_together", [1, 7, 64])
def test_paths_are_the_same_whatever_was_asked_before(goals_together: int) -> None:
    rack = MACHINES["rack"]
    kept = MinimalPaths(rack, goals_together=goals_together)
    for first in (40, 0, 71):
        source = np.arange(72, dtype=np.int64)
        target = (source * 5 + first) % 72
        assert (kept.of(source, target) == minimal_paths(rack, source, target)).all()


def test_no_pairs_have_no_paths() -> None:
    none = np.zeros(0, dtype=np.int64)
    assert minimal_paths(MACHINES["rack"], none, none).shape[0] == 0


@pytest.mark.parametrize("number", [0, 1, 7, 8])
def test_parallel_cables_take_turns(number: int) -> None:
    two = MACHINES["two racks"]
    links = LinksOfPairs(two)
    every = np.arange(len(two.source), dtype=np.int64)
    source, target = two.source.astype(np.int64), two.target.astype(np.int64)
    picked = links.pick(source, target, 0 * every + number)
    for link, chosen in zip(every.tolist(), picked.tolist(), strict=True):
        parallel = two.links_between(int(source[link]), int(target[link]))
        assert chosen == parallel[number % len(parallel)]

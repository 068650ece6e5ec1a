from dataclasses import replace

import networkx as nx
import numpy as np

from topologies.io.networkx_graph import from_networkx
from topologies.metrics.farthest_pair import farthest_pair


def test_the_farthest_pair_of_a_path_is_its_ends() -> None:
    assert sorted(
        farthest_pair(from_networkx(nx.path_graph(5), name="path")).tolist()
    ) == [0, 4]


def test_of_pairs_equally_many_hops_apart_the_one_on_longer_cables_is_farthest() -> (
    None
):
    star = from_networkx(nx.star_graph(4), name="star")
    ends = np.stack([star.source, star.target])
    far = np.isin(ends, (2, 4)).any(axis=0)
    star = replace(star, length_m=np.where(far, 5.0, 1.0))
    assert sorted(farthest_pair(star).tolist()) == [2, 4]

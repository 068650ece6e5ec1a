import numpy as np
import pytest

from sharding.parallelism.strategy import Strategy
from sharding.placement.default_placement import placed_chips
from topologies.selection import select_topology

RACKS = select_topology(576)


@pytest.mark.parametrize(
    ("tensor", "pipeline", "data", "first_chips"),
    [
        # Three of eight chips of a node, twice.
        (3, 1, 4, [0, 3, 8, 11]),
        # Two nodes each.
        (16, 1, 3, [0, 16, 32]),
        # Eight of nine nodes of a rack.
        (8, 8, 8, [0, 72, 144, 216, 288, 360, 432, 504]),
        # Two racks each.
        (8, 18, 3, [0, 144, 288]),
        # For nine there is no room in eight racks: one after the other.
        (8, 8, 9, [0, 64, 128, 192, 256, 320, 384, 448, 512]),
    ],
)
def test_replicas_come_apart_along_nodes_and_racks(
    tensor: int, pipeline: int, data: int, first_chips: list[int]
) -> None:
    strategy = Strategy(tensor=tensor, pipeline=pipeline, data=data)
    chips = placed_chips(RACKS, strategy)[: strategy.chips]
    assert len(np.unique(chips)) == strategy.chips
    assert chips[:: strategy.replica_chips].tolist() == first_chips


def test_a_single_replica_takes_the_chips_in_order() -> None:
    strategy = Strategy(tensor=8, pipeline=8)
    assert placed_chips(RACKS, strategy).tolist() == list(range(576))

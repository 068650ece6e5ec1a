from collections import deque
from collections.abc import Callable

import pytest

from topologies.topology import Topology

GatewayHops = Callable[[Topology, int, int], int]


@pytest.fixture
def gateway_hops_by_hand() -> GatewayHops:
    """Count gateway hops by a 0-1 search that knows both ends of the path."""

    def count(topology: Topology, source: int, target: int) -> int:
        node = topology.node.tolist()
        own = {node[source], node[target]}
        best = {source: 0}
        queue = deque([source])
        while queue:
            chip = queue.popleft()
            for link in topology.out_links(chip):
                neighbour = int(topology.target[link])
                free = node[chip] == node[neighbour] and node[chip] not in own
                cost = best[chip] + (not free)
                if cost < best.get(neighbour, 10**9):
                    best[neighbour] = cost
                    (queue.appendleft if free else queue.append)(neighbour)
        return best[target]

    return count

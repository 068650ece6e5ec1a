"""Which chips replicas take, so that they come apart along nodes and racks."""

import numpy as np

from sharding.parallelism.strategy import Strategy
from specs.arrays import Ints
from specs.units import ceil_div
from topologies.topology import Topology


def placed_chips(topology: Topology, strategy: Strategy) -> Ints:
    """Return the active chips in the order in which `strategy` takes them.

    As many replicas as fit share a node or a rack, or each takes whole racks; chips
    left over are passed by. Where so placed too few replicas would find room, and for
    one replica, all chips are taken in order.
    """
    active = topology.active.astype(np.int64)
    size = strategy.replica_chips
    if strategy.data == 1:
        return active
    for unit, most_joined in ((topology.node, 1), (topology.rack, len(active))):
        parts = [active[unit[active] == n] for n in np.unique(unit[active])]
        joined = ceil_div(size, min(len(part) for part in parts))
        if joined > most_joined:
            continue
        slots = []
        for first in range(0, len(parts) - joined + 1, joined):
            chips = np.concatenate(parts[first : first + joined])
            slots += [chips[at : at + size] for at in range(0, len(chips), size)]
        slots = [slot for slot in slots if len(slot) == size]
        if len(slots) >= strategy.data:
            return np.concatenate(slots[: strategy.data])
    return active

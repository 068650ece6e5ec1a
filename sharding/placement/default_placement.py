"""Default placement: chips in order, with replicas aligned to nodes and racks."""

import numpy as np

from sharding.parallelism.strategy import Strategy
from specs.arrays import Ints
from specs.units import ceil_div
from topologies.topology import Topology


def placed_chips(topology: Topology, strategy: Strategy) -> Ints:
    """Return the default placement: active chips in the order a strategy uses them.

    Replicas do not cross nodes or racks: as many as fit share a node or a rack, or each
    takes whole racks, and the remaining chips are skipped. If too few replicas fit so,
    or there is one replica, the result is all active chips in order.

    Returns
    -------
    NDArray
        Distinct active chips. The strategy uses the first ``strategy.chips``.
    """
    active = topology.active.astype(np.int64)
    size = strategy.replica_chips
    if strategy.data == 1:
        return active
    for unit, most_units in ((topology.node, 1), (topology.rack, len(active))):
        parts = [active[unit[active] == n] for n in np.unique(unit[active])]
        units = ceil_div(size, min(len(part) for part in parts))
        if units > most_units:
            continue
        slots = []
        for first in range(0, len(parts) - units + 1, units):
            chips = np.concatenate(parts[first : first + units])
            slots += [chips[at : at + size] for at in range(0, len(chips), size)]
        slots = [slot for slot in slots if len(slot) == size]
        if len(slots) >= strategy.data:
            return np.concatenate(slots[: strategy.data])
    return active

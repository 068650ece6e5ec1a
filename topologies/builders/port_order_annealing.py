"""The search for an order of outward ports with few hops: threshold accepting.

Run once and for all; what it found is :data:`topologies.annealed.ANNEALED_ORDER`.
"""

import numpy as np
from numpy.typing import NDArray

from topologies.builders.dragonfly import (
    MOST_RACKS,
    OUTWARD_PORTS_PER_RACK,
    dragonfly_topology,
)
from topologies.builders.port_order import costas_order
from topologies.cables import CHIPS_PER_RACK
from topologies.topology import Level

_CHIPS = MOST_RACKS * CHIPS_PER_RACK
# Hops by which a step may be worse, summed over the pairs from one rack, at first; it
# falls to 0 in proportion to the steps. Between good orders a swap changes some
# hundreds; what is never worse soon gets stuck.
_FIRST_THRESHOLD_HOPS = 400
# A diameter above 6 counts as if each further hop were this many: no mean is worth it.
_PENALTY_HOPS = 10**6
_MOST_HOPS = 6


def annealed_order(steps: int, seed: int) -> NDArray[np.int64]:
    """Return the best order found for 145 racks in `steps` swaps of two ports.

    It starts from :func:`~topologies.builders.port_order.costas_order`. A swap is kept
    unless it is worse by more than a threshold that falls to 0 (threshold accepting
    [1]_). All is in integers, so the same seed finds the same order everywhere. A step
    takes 12 ms.

    References
    ----------
    .. [1] G. Dueck and T. Scheuer, "Threshold Accepting: A General Purpose
       Optimization Algorithm Appearing Superior to Simulated Annealing," Journal of
       Computational Physics 90, 1990.
    """
    neighbours = _neighbours()
    order = costas_order()
    current = least = total_hops(order, neighbours)
    best = order.copy()
    swaps = np.random.default_rng(seed).integers(len(order), size=(steps, 2))
    for step, pair in enumerate(swaps):
        order[pair] = order[pair[::-1]]
        found = total_hops(order, neighbours)
        threshold = _FIRST_THRESHOLD_HOPS * (steps - step) // steps
        if found > current + threshold:
            order[pair] = order[pair[::-1]]
            continue
        current = found
        if found < least:
            least, best = found, order.copy()
    return best


def total_hops(order: NDArray[np.int64], neighbours: NDArray[np.int64]) -> int:
    """Return the hops from one rack's chips to all others, with a penalty above 6.

    Parameters
    ----------
    order
        Outward port that leads to each offset, shape (144,).
    neighbours
        Chips next to each chip; the last two columns are written over, shape
        ``(10440, 11)``.
    """
    chip, port = np.divmod(order, 2)
    rack = np.arange(MOST_RACKS)[:, np.newaxis]
    offset = np.arange(OUTWARD_PORTS_PER_RACK)
    far_rack = (rack + offset + 1) % MOST_RACKS
    # The way back from offset d is offset 145 - d.
    far = CHIPS_PER_RACK * far_rack + chip[::-1]
    neighbours[CHIPS_PER_RACK * rack + chip, neighbours.shape[1] - 2 + port] = far

    # One bit for each chip of rack 0, in two words.
    word, bit = np.divmod(np.arange(CHIPS_PER_RACK), 64)
    reached = np.zeros((_CHIPS, 2), np.uint64)
    reached[np.arange(CHIPS_PER_RACK), word] = np.left_shift(
        np.uint64(1), bit.astype(np.uint64)
    )
    missing = CHIPS_PER_RACK * (_CHIPS - 1)
    hops = total = 0
    while missing:
        # So many pairs are more hops apart than all hops so far.
        total += missing
        hops += 1
        before = reached.copy()
        for column in neighbours.T:
            reached |= before[column]
        arrived = int(np.bitwise_count(reached).sum(dtype=np.int64))
        missing = CHIPS_PER_RACK * _CHIPS - arrived
    return total + _PENALTY_HOPS * max(0, hops - _MOST_HOPS)


def _neighbours() -> NDArray[np.int64]:
    """Return the chips next to each chip in its rack, and room for two outside."""
    topology = dragonfly_topology(MOST_RACKS)
    inside = topology.level != Level.GLOBAL
    source, target = topology.source[inside], topology.target[inside]
    in_rack = target[np.argsort(source, kind="stable")].reshape(_CHIPS, -1)
    return np.pad(in_rack.astype(np.int64), ((0, 0), (0, 2)))

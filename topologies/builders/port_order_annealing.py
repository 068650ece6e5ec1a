"""Threshold accepting over port orders: the search behind the order ``annealed``.

Its result for 200 000 steps and seed 1 is kept as
:data:`topologies.builders.port_order.ANNEALED_ORDER`, so no other module runs it. The
command prints the order for any number of steps and seed, in some 40 minutes for that
one::

    python -m topologies.builders.port_order_annealing --steps 200000 --seed 1
"""

import argparse
import sys
from collections.abc import Sequence

import numpy as np

from specs.arrays import Ints
from topologies.builders.dragonfly import (
    MOST_RACKS,
    OUTWARD_PORTS_PER_RACK,
    dragonfly_topology,
)
from topologies.builders.port_order import costas_order
from topologies.cables import CHIPS_PER_RACK
from topologies.topology import Level

_CHIPS = MOST_RACKS * CHIPS_PER_RACK
# Increase of the sum of hops from one rack that the first step accepts; the threshold
# falls to 0 in proportion to the steps. Between good orders a swap changes the sum by
# some hundreds, and a search that accepts no increase soon ends in a local minimum.
_FIRST_THRESHOLD_HOPS = 400
# Each hop of the diameter above 6 counts this many: no lower mean outweighs it.
_PENALTY_HOPS = 10**6
_MOST_HOPS = 6


def annealed_order(steps: int, seed: int) -> Ints:
    """Return the best port order to build 145 racks in, after `steps` swaps of ports.

    The search starts from :func:`~topologies.builders.port_order.costas_order`. A swap
    is kept unless it increases the sum of hops by more than a threshold that falls to 0
    (threshold accepting [1]_). All arithmetic is in integers, so a seed gives the same
    order on every machine. A step takes 12 ms.

    Parameters
    ----------
    steps
        Number of swaps.
    seed
        Seed of the random pairs of ports.

    Returns
    -------
    Ints
        Outward port that leads to each offset, shape ``(144,)``.

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
        hops = total_hops(order, neighbours)
        threshold = _FIRST_THRESHOLD_HOPS * (steps - step) // steps
        if hops > current + threshold:
            order[pair] = order[pair[::-1]]
            continue
        current = hops
        if hops < least:
            least, best = hops, order.copy()
    return best


def total_hops(order: Ints, neighbours: Ints) -> int:
    """Return the cost of a port order to build: hops from a rack, penalised above 6.

    Parameters
    ----------
    order
        Outward port that leads to each offset, shape ``(144,)``.
    neighbours
        Neighbours of each chip, shape ``(10440, 11)``; the last two columns are
        overwritten.
    """
    chip, port = np.divmod(order, 2)
    rack = np.arange(MOST_RACKS)[:, np.newaxis]
    offset = np.arange(OUTWARD_PORTS_PER_RACK)
    far_rack = (rack + offset + 1) % MOST_RACKS
    # The reverse of offset d is offset 145 - d.
    far = CHIPS_PER_RACK * far_rack + chip[::-1]
    neighbours[CHIPS_PER_RACK * rack + chip, neighbours.shape[1] - 2 + port] = far

    # One bit for each source, a chip of rack 0, in two words.
    word, bit = np.divmod(np.arange(CHIPS_PER_RACK), 64)
    reached = np.zeros((_CHIPS, 2), np.uint64)
    reached[np.arange(CHIPS_PER_RACK), word] = np.left_shift(
        np.uint64(1), bit.astype(np.uint64)
    )
    missing = CHIPS_PER_RACK * (_CHIPS - 1)
    hops = total = 0
    while missing:
        # Each pair not yet reached is at least one hop further apart.
        total += missing
        hops += 1
        before = reached.copy()
        for column in neighbours.T:
            reached |= before[column]
        arrived = int(np.bitwise_count(reached).sum(dtype=np.int64))
        missing = CHIPS_PER_RACK * _CHIPS - arrived
    return total + _PENALTY_HOPS * max(0, hops - _MOST_HOPS)


def _neighbours() -> Ints:
    """Return the neighbours of each chip of a rack to build, and columns for others."""
    topology = dragonfly_topology(MOST_RACKS)
    inside = topology.level != Level.GLOBAL
    source, target = topology.source[inside], topology.target[inside]
    in_rack = target[np.argsort(source, kind="stable")].reshape(_CHIPS, -1)
    return np.pad(in_rack.astype(np.int64), ((0, 0), (0, 2)))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the port order to build, annealed for a command line's steps and seed."""
    parser = argparse.ArgumentParser(
        prog="python -m topologies.builders.port_order_annealing",
        description="Search a port order of few hops for 145 racks and print it.",
    )
    parser.add_argument("--steps", type=int, required=True, help="number of swaps")
    parser.add_argument("--seed", type=int, default=1, help="seed of the swaps")
    options = parser.parse_args(arguments)
    order = annealed_order(options.steps, options.seed)
    sys.stdout.write(", ".join(map(str, order.tolist())) + "\n")


if __name__ == "__main__":
    main()

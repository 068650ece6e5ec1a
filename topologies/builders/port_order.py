"""The orders in which the chips of a rack take its cables to the other racks.

Which racks a rack is cabled to, and how often, is settled by
:func:`~topologies.builders.global_link_arrangement.even_arrangement`: ports 0, 1, ...
go to racks further and further round the ring. What is left to choose is the chip that
holds each port. Palmtree and consecutive are as in [1]_:

``palmtree``
    Port `k` is the `k`-th in the rack, two on each chip, and so goes round the ring.
``consecutive``
    The ports go to rack 0, rack 1, ... in the order of their numbers, whoever asks.
``random``
    Each rack has an order of its own, drawn from a seed (``random-7`` has seed 7).
``costas``
    Powers of a primitive root, as in a Welch-Costas array [2]_; the default.
``annealed``
    The order with the lowest mean hop count at 145 racks that a search came upon.

References
----------
.. [1] C. Camarero, E. Vallejo and R. Beivide, "Topological Characterization of Hamming
   and Dragonfly Networks and Its Implications on Routing," ACM TACO 11 (4), 2014.
.. [2] S. W. Golomb and H. Taylor, "Constructions and Properties of Costas Arrays,"
   Proceedings of the IEEE 72 (9), 1984.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specs.errors import TopologyError, nearest
from topologies.builders.global_link_arrangement import Arrangement
from topologies.cables import CHIPS_PER_NODE, CHIPS_PER_RACK, NODES_PER_RACK

# What `topologies.builders.port_order_annealing.annealed_order(steps=200_000, seed=1)`
# returns, which takes some 40 minutes: 4.829 hops on average at 145 racks, 4.876 for
# where it starts. Entry k is the outward port that goes to the rack k + 1 further round
# the ring.
# fmt: off
ANNEALED_ORDER = (
    98, 102, 66, 59, 33, 7, 106, 6, 92, 110, 91, 64, 84, 22, 137, 54, 100, 40, 75,
    115, 78, 130, 90, 10, 39, 45, 3, 34, 99, 83, 36, 72, 4, 25, 0, 87, 131, 47, 109,
    123, 117, 108, 43, 116, 96, 49, 127, 133, 93, 132, 73, 124, 13, 52, 71, 31, 125,
    114, 129, 44, 56, 126, 15, 9, 105, 62, 135, 60, 120, 70, 35, 140, 42, 55, 112,
    97, 74, 65, 81, 103, 32, 19, 121, 101, 46, 86, 80, 20, 122, 41, 141, 119, 50,
    89, 67, 94, 69, 23, 107, 14, 57, 77, 76, 143, 30, 68, 28, 58, 51, 53, 104, 88,
    138, 79, 118, 2, 85, 111, 48, 24, 8, 21, 11, 136, 82, 27, 26, 63, 61, 17, 37, 5,
    139, 128, 38, 29, 18, 95, 134, 142, 12, 1, 113, 16,
)
# fmt: on

ORDERS = ("costas", "palmtree", "consecutive", "random", "annealed")
DEFAULT_ORDER = ORDERS[0]

_SEED_DIGITS = 9
# Chips of a rack plus one; being prime, it has primitive roots, whose powers run
# through all chips.
_PRIME = CHIPS_PER_RACK + 1
# One pair (root, first exponent) for each of a chip's two outward ports. Of all pairs
# of primitive roots and shifts searched, the one that gives 145 racks 6 hops at most
# (a linear order gives 7) and puts consecutive ports on different nodes.
_POWERS = ((31, 0), (33, 61))


class PortOrder(NamedTuple):
    """Where each rack puts the port it counts as its `k`-th.

    Attributes
    ----------
    place
        Outward port of the rack that each counted port is, two for each chip: ports
        ``2c`` and ``2c + 1`` are on chip `c`. Shape ``(racks, used ports)``; each row
        is a permutation.
    alike
        Whether every rack has the same order, so that turning the ring of racks maps
        the machine onto itself.
    """

    place: NDArray[np.int64]
    alike: bool


def port_order(name: str, arrangement: Arrangement) -> PortOrder:
    """Return the order called `name` for racks that `arrangement` cables.

    Parameters
    ----------
    name
        One of `ORDERS`; ``random`` may be followed by a seed, as in ``random-7``.
    arrangement
        The racks as groups. Whatever their number, all 144 ports are used; the orders
        ``costas`` and ``annealed`` are for no other number of ports.

    Raises
    ------
    TopologyError
        If there is no such order.

    Examples
    --------
    >>> from topologies.builders.global_link_arrangement import even_arrangement
    >>> port_order("consecutive", even_arrangement(groups=3, ports=4)).place
    array([[0, 1, 2, 3],
           [2, 3, 0, 1],
           [0, 1, 2, 3]])
    """
    check_order(name)
    kind, _, seed = name.partition("-")
    racks, ports = arrangement.groups, len(arrangement.offset)
    if kind == "random":
        in_a_row = np.tile(np.arange(ports), (racks, 1))
        drawn = np.random.default_rng(int(seed or 0)).permuted(in_a_row, axis=1)
        return PortOrder(drawn, alike=False)
    if kind == "consecutive":
        return PortOrder(_consecutive(arrangement), alike=False)
    order = {
        "palmtree": np.arange(ports),
        "costas": costas_order(),
        "annealed": np.array(ANNEALED_ORDER),
    }[kind]
    return PortOrder(np.tile(order, (racks, 1)), alike=True)


def check_order(name: str) -> None:
    """Refuse a name that is no order, whether or not there is anything to order."""
    kind, dash, seed = name.partition("-")
    seeded = kind == "random" and seed.isdecimal() and len(seed) <= _SEED_DIGITS
    if kind not in ORDERS or (dash and not seeded):
        raise TopologyError(
            f"no order {name!r} of a dragonfly's global links; {nearest(kind, ORDERS)} "
            f"(random takes a seed of {_SEED_DIGITS} digits at most, as in random-7)"
        )


def _consecutive(arrangement: Arrangement) -> NDArray[np.int64]:
    """Return how many ports of the same rack come before each by the far rack."""
    racks, ports = arrangement.groups, len(arrangement.offset)
    far = (np.arange(racks)[:, np.newaxis] + arrangement.offset) % racks
    # Copies of a pair stay in their order.
    return np.argsort(np.argsort(far * ports + arrangement.copy, axis=1), axis=1)


def costas_order() -> NDArray[np.int64]:
    """Return the order by powers of primitive roots, shape (144,).

    The first 72 ports are the first of each chip, the others the second. Unlike in a
    linear order, sums of two offsets seldom lead to the same place, so paths over two
    global links reach more chips. For 145 racks the mean is 4.88 hops instead of 5.22.
    """
    power: NDArray[np.int64] = np.array(
        [
            pow(root, first + step, _PRIME) - 1
            for root, first in _POWERS
            for step in range(CHIPS_PER_RACK)
        ]
    )
    chip = CHIPS_PER_NODE * (power % NODES_PER_RACK) + power // NODES_PER_RACK
    return 2 * chip + np.arange(len(chip)) // CHIPS_PER_RACK

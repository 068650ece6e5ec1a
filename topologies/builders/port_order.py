"""Port orders: which chip of a rack holds each of its cables to the other racks.

:func:`~topologies.builders.global_link_arrangement.even_arrangement` decides which
racks a rack is linked to, and by how many cables: its ports 0, 1, ... lead to racks at
growing distance on the ring. A port order assigns these ports to chips. Palmtree and
consecutive follow [1]_:

``palmtree``
    Port `k` is the `k`-th of the rack, two per chip, in the order of the ring.
``consecutive``
    The ports of every rack lead to rack 0, rack 1, ... in the order of their numbers.
``random``
    Each rack has its own order, drawn from a seed (``random-7`` has seed 7).
``costas``
    Powers of a primitive root, as in a Welch-Costas array [2]_; the default.
``annealed``
    The order of lowest mean hop count at 145 racks that threshold accepting reached,
    see :mod:`topologies.builders.port_order_annealing`.

References
----------
.. [1] C. Camarero, E. Vallejo and R. Beivide, "Topological Characterization of Hamming
   and Dragonfly Networks and Its Implications on Routing," ACM TACO 11 (4), 2014.
.. [2] S. W. Golomb and H. Taylor, "Constructions and Properties of Costas Arrays,"
   Proceedings of the IEEE 72 (9), 1984.
"""

from typing import NamedTuple

import numpy as np

from specs.arrays import Ints
from specs.errors import TopologyError, nearest
from topologies.builders.global_link_arrangement import Arrangement
from topologies.cables import CHIPS_PER_NODE, CHIPS_PER_RACK, NODES_PER_RACK

# Result of `python -m topologies.builders.port_order_annealing --steps 200000 --seed 1`
# after some 40 minutes: 4.829 hops on average at 145 racks, against 4.876 for the
# costas order it starts from. Entry k is the outward port that leads to the rack k + 1
# places further on the ring.
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
# Chips of a rack plus one. It is prime, so it has primitive roots, and their powers
# visit every chip.
_PRIME = CHIPS_PER_RACK + 1
# One pair (root, first exponent) for each of a chip's two outward ports. Among all
# pairs of primitive roots and shifts that were tried, these give 145 racks a diameter
# of 6 hops (a linear order gives 7) and put consecutive ports on different nodes.
_POWERS = ((31, 0), (33, 61))


class PortOrder(NamedTuple):
    """Port order of every rack: the outward port that holds its `k`-th cable.

    Attributes
    ----------
    place
        Outward port of the rack for each port `k` of the arrangement. Ports ``2c``
        and ``2c + 1`` are on chip `c`. Shape ``(racks, used ports)``; each row is a
        permutation.
    same_in_all_racks
        Whether every rack has the same order, so that a rotation of the ring of racks
        maps the machine onto itself.
    """

    place: Ints
    same_in_all_racks: bool


def port_order(name: str, arrangement: Arrangement) -> PortOrder:
    """Return the port order called `name` to build the racks of `arrangement`.

    Parameters
    ----------
    name
        One of `ORDERS`; ``random`` may be followed by a seed, as in ``random-7``.
    arrangement
        Arrangement with the racks as groups. Any number of racks uses all 144 ports;
        the orders ``costas`` and ``annealed`` are defined for 144 ports only.

    Raises
    ------
    TopologyError
        If the order is unknown.

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
        return PortOrder(drawn, same_in_all_racks=False)
    if kind == "consecutive":
        return PortOrder(_consecutive(arrangement), same_in_all_racks=False)
    order = {
        "palmtree": np.arange(ports),
        "costas": costas_order(),
        "annealed": np.array(ANNEALED_ORDER),
    }[kind]
    return PortOrder(np.tile(order, (racks, 1)), same_in_all_racks=True)


def check_order(name: str) -> None:
    """Refuse a name that is no port order to build a topology in.

    Raises
    ------
    TopologyError
        If the kind is unknown, or a seed is malformed or of another kind.
    """
    kind, dash, seed = name.partition("-")
    seeded = kind == "random" and seed.isdecimal() and len(seed) <= _SEED_DIGITS
    if kind not in ORDERS or (dash and not seeded):
        raise TopologyError(
            f"no order {name!r} of a dragonfly's global links; {nearest(kind, ORDERS)} "
            f"(random takes a seed of {_SEED_DIGITS} digits at most, as in random-7)"
        )


def _consecutive(arrangement: Arrangement) -> Ints:
    """Return the port order to build by far racks: the rank of each port of a rack."""
    racks, ports = arrangement.groups, len(arrangement.offset)
    far = (np.arange(racks)[:, np.newaxis] + arrangement.offset) % racks
    # Parallel cables of a pair of racks keep their order.
    return np.argsort(np.argsort(far * ports + arrangement.copy, axis=1), axis=1)


def costas_order() -> Ints:
    """Build the port order by powers of primitive roots, shape ``(144,)``.

    The first 72 ports are the first ports of the chips, the others the second ports.
    Sums of two offsets coincide less often than in a linear order, so paths over two
    global links reach more chips. The mean at 145 racks is 4.88 hops instead of 5.22.
    """
    power: Ints = np.array(
        [
            pow(root, first + step, _PRIME) - 1
            for root, first in _POWERS
            for step in range(CHIPS_PER_RACK)
        ]
    )
    chip = CHIPS_PER_NODE * (power % NODES_PER_RACK) + power // NODES_PER_RACK
    return 2 * chip + np.arange(len(chip)) // CHIPS_PER_RACK

"""The fat tree: chips at the leaves that work, and above them chips that only forward.

A GroqRack has no switches, so the inner vertices of the tree are chips too. They are
part of the machine, count as chips and take no work.
"""

import numpy as np
from numpy.typing import NDArray

from specs.errors import TopologyError
from topologies.builders.flat_chips import check_size, chipwise_topology
from topologies.builders.global_link_arrangement import GroupCables
from topologies.topology import Topology
from topologies.validation import PORTS_PER_CHIP

_Port = int | NDArray[np.int64]


def fat_tree_topology(
    arity: int, levels: int, *, lanes: int = 1, ports_per_chip: int = PORTS_PER_CHIP
) -> Topology:
    """Return `arity` ** `levels` working chips below `lanes` trees of forwarding chips.

    The tree is a k-ary n-tree [1]_: as many cables leave a forwarding chip upwards as
    downwards, except at the top. Chips that share all but the last digit of their
    number stand together with the forwarding chips of that number, one of each level
    and tree.

    Parameters
    ----------
    arity
        Chips below each forwarding chip, *k* in [1]_.
    levels
        Levels of forwarding chips, *n* in [1]_.
    lanes
        Trees side by side. A working chip has a link to each.
    ports_per_chip
        Most links a chip may have; a forwarding chip needs twice the arity.

    Raises
    ------
    TopologyError
        If the arity is below 2 or the chips have too few ports.

    References
    ----------
    .. [1] F. Petrini and M. Vanneschi, "k-ary n-trees: High Performance Networks for
       Massively Parallel Architectures," IPPS 1997.

    Examples
    --------
    >>> tree = fat_tree_topology(4, 3)
    >>> tree.chips, tree.active_chips, tree.links
    (112, 64, 192)
    """
    name = f"fat-tree:{arity}x{levels}" + (f"*{lanes}" if lanes > 1 else "")
    if arity <= 1 or levels < 1:
        raise TopologyError(f"{name}: needs an arity of at least 2 and 1 level")
    inner_ports = arity if levels == 1 else 2 * arity
    # The exponent is bounded first: a slip of the finger is no number to work with.
    blocks = arity ** min(levels - 1, 20)
    per_block = arity + lanes * levels
    check_size(
        name,
        chips=blocks * per_block,
        ports=max(inner_ports, lanes),
        ports_per_chip=ports_per_chip,
    )
    block = np.arange(blocks)
    bundles: list[tuple[NDArray[np.int64], int, NDArray[np.int64], _Port]] = []
    for lane in range(lanes):
        # Forwarding chip of each block on each level, the top one first.
        inner = block * per_block + arity + lane * levels + np.arange(levels)[:, None]
        bundles += [
            (block * per_block + slot, lane, inner[-1], slot) for slot in range(arity)
        ]
        for level in range(levels - 1):
            # One digit of the block's number, another on each level, is free.
            weight = arity ** (levels - 2 - level)
            digit = block // weight % arity
            for up in range(arity):
                above = inner[level][block + (up - digit) * weight]
                bundles.append((inner[level + 1], arity + up, above, digit))
    cables = GroupCables(
        *(
            np.concatenate([np.broadcast_to(bundle[end], blocks) for bundle in bundles])
            for end in range(4)
        )
    )
    leaf, place = np.divmod(np.arange(blocks * arity), arity)
    return chipwise_topology(
        name,
        cables,
        chips=blocks * per_block,
        active=leaf * per_block + place,
        representatives=None,
        ports_per_chip=ports_per_chip,
    )

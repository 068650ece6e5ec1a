"""Fat-tree topology: working chips at the leaves, forwarding chips above them.

A GroqRack has no switches, so the inner vertices of the tree are chips. They belong to
the machine and count as chips, but take no work.
"""

import numpy as np

from specs.arrays import Ints
from specs.errors import TopologyError
from topologies.builders.flat_chips import check_size, flat_topology
from topologies.builders.global_link_arrangement import GroupCables
from topologies.topology import Topology
from topologies.validation import PORTS_PER_CHIP

_Port = int | Ints


def fat_tree_topology(
    arity: int, levels: int, *, lanes: int = 1, ports_per_chip: int = PORTS_PER_CHIP
) -> Topology:
    """Build the fat tree over `arity` ** `levels` working chips, in `lanes` copies.

    The tree is a k-ary n-tree [1]_: a forwarding chip has as many cables upwards as
    downwards, except at the top. Working chips that share all but the last digit of
    their number form a block. The block also holds the forwarding chips of that
    number, one for each level and tree, and its chips are numbered consecutively.

    Parameters
    ----------
    arity
        Chips below each forwarding chip, *k* in [1]_.
    levels
        Levels of forwarding chips, *n* in [1]_.
    lanes
        Parallel trees. A working chip has a link to each.
    ports_per_chip
        Most links a chip may have; a forwarding chip needs twice the arity.

    Raises
    ------
    TopologyError
        If the arity is below 2, there is no level, or the chips have too few ports.

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
    # The exponent is bounded first: a mistyped level must not cost a huge power.
    blocks = arity ** min(levels - 1, 20)
    per_block = arity + lanes * levels
    check_size(
        name,
        chips=blocks * per_block,
        ports=max(inner_ports, lanes),
        ports_per_chip=ports_per_chip,
    )
    block = np.arange(blocks)
    bundles: list[tuple[Ints, int, Ints, _Port]] = []
    for lane in range(lanes):
        # Forwarding chip of each block on each level, the top level first.
        inner = block * per_block + arity + lane * levels + np.arange(levels)[:, None]
        bundles += [
            (block * per_block + slot, lane, inner[-1], slot) for slot in range(arity)
        ]
        for level in range(levels - 1):
            # Each level links the blocks that differ in one digit of their number.
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
    return flat_topology(
        name,
        cables,
        chips=blocks * per_block,
        active=leaf * per_block + place,
        representatives=None,
        ports_per_chip=ports_per_chip,
    )

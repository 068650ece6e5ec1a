"""Torus and flattened butterfly: lattices of chips with the same links at each chip.

Both link a chip to others in its row along each dimension: the torus to the next and
the previous chip, the flattened butterfly (a Hamming graph, or HyperX) to all of them.
With rows of two chips both are the hypercube; with a single row the flattened butterfly
is the full mesh.
"""

import math
from collections.abc import Sequence

import numpy as np

from specs.arrays import Ints
from specs.errors import TopologyError
from topologies.builders.flat_chips import check_size, flat_topology
from topologies.builders.global_link_arrangement import GroupCables
from topologies.topology import Topology
from topologies.validation import PORTS_PER_CHIP


def torus_topology(
    shape: Sequence[int], *, lanes: int = 1, ports_per_chip: int = PORTS_PER_CHIP
) -> Topology:
    """Build the torus of `shape`, with `lanes` parallel cables between neighbours.

    A row of two chips has one link, not two.

    Raises
    ------
    TopologyError
        If a side is below 2 or the chips have too few ports.

    Examples
    --------
    >>> torus_topology((4, 4, 4)).links
    192
    """
    offsets = [sorted({1, side - 1}) for side in shape]
    return _lattice("torus", shape, offsets, lanes, ports_per_chip)


def flattened_butterfly_topology(
    shape: Sequence[int], *, lanes: int = 1, ports_per_chip: int = PORTS_PER_CHIP
) -> Topology:
    """Build the flattened butterfly of `shape`, whose rows are fully connected.

    Each switch of [1]_ is a chip here, with no other chip attached to it.

    Raises
    ------
    TopologyError
        If a side is below 2 or the chips have too few ports.

    References
    ----------
    .. [1] J. Kim, W. J. Dally and D. Abts, "Flattened Butterfly: A Cost-efficient
       Topology for High-radix Networks," ISCA 2007.

    Examples
    --------
    >>> flattened_butterfly_topology((8, 4, 2)).links
    352
    """
    offsets = [list(range(1, side)) for side in shape]
    name = "full-mesh" if len(shape) == 1 else "flattened-butterfly"
    if len(shape) > 1 and set(shape) == {2}:
        name = "hypercube"
    return _lattice(name, shape, offsets, lanes, ports_per_chip)


def _lattice(
    kind: str,
    shape: Sequence[int],
    offsets: Sequence[Sequence[int]],
    lanes: int,
    ports_per_chip: int,
) -> Topology:
    """Build the lattice with links at `offsets` along each dimension.

    The offsets of a dimension are closed under negation. The port of an offset is its
    rank among all offsets, so a translation of all chips maps ports onto ports, and
    any chip represents all.
    """
    sides = str(len(shape)) if kind == "hypercube" else "x".join(map(str, shape))
    name = f"{kind}:{sides}" + (f"*{lanes}" if lanes > 1 else "")
    if min(shape) <= 1:
        raise TopologyError(f"{name}: every side needs at least 2 chips")
    links = sum(map(len, offsets))
    chips = math.prod(shape)
    check_size(name, chips=chips, ports=links * lanes, ports_per_chip=ports_per_chip)
    bundles: list[tuple[Ints, int, Ints, int]] = []
    chip = np.arange(chips)
    place = np.stack(np.unravel_index(chip, shape))
    first_port = 0
    for dimension, (side, of_row) in enumerate(zip(shape, offsets, strict=True)):
        for port, offset in enumerate(of_row, start=first_port):
            if 2 * offset > side:
                continue  # the same cable, from its other end
            far_place = place.copy()
            far_place[dimension] = (place[dimension] + offset) % side
            far = np.ravel_multi_index(tuple(far_place), shape)
            far_port = first_port + of_row.index(side - offset)
            # Opposite chips of a row have the same offset at both ends: count it once.
            once = (place[dimension] < offset) | (2 * offset < side)
            bundles += [
                (chip[once], port + lane * links, far[once], far_port + lane * links)
                for lane in range(lanes)
            ]
        first_port += len(of_row)
    cables = GroupCables(
        source=np.concatenate([source for source, _, _, _ in bundles]),
        source_port=np.concatenate([np.full(len(s), p) for s, p, _, _ in bundles]),
        target=np.concatenate([target for _, _, target, _ in bundles]),
        target_port=np.concatenate([np.full(len(t), p) for _, _, t, p in bundles]),
    )
    return flat_topology(
        name,
        cables,
        chips=chips,
        active=chip,
        representatives=(0,),
        ports_per_chip=ports_per_chip,
    )

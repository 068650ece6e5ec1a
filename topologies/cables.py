"""Cable bundles, and the topology that they form."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from specs.arrays import Ints
from topologies.topology import Level, Topology
from topologies.validation import PORTS_PER_CHIP

CHIPS_PER_NODE = 8
NODES_PER_RACK = 9
CHIPS_PER_RACK = CHIPS_PER_NODE * NODES_PER_RACK


class CableBundle(NamedTuple):
    """Bundle of cables of one level and length, arrays of shape ``(cables,)``."""

    source: Ints
    source_port: Ints
    target: Ints
    target_port: Ints
    level: Level
    length_m: float


def both_directions(forward: Ints, backward: Ints) -> Ints:
    """Return values of a topology's links: entry 2k of `forward`, 2k + 1 of `backward`.

    >>> both_directions(np.array([0, 2]), np.array([1, 3]))
    array([0, 1, 2, 3])
    """
    return np.stack([forward, backward], axis=1).ravel()


def topology_from_cables(
    name: str,
    bundles: Sequence[CableBundle],
    *,
    chips: int,
    chips_per_rack: int,
    representatives: tuple[int, ...] | None,
    chips_per_node: int = CHIPS_PER_NODE,
    ports_per_chip: int = PORTS_PER_CHIP,
) -> Topology:
    """Return the topology of equal nodes that `bundles` join.

    Parameters
    ----------
    name
        Name of the topology.
    bundles
        Cables, in the order of their numbers.
    chips
        Number of chips, a multiple of `chips_per_node`.
    chips_per_rack
        Chips per rack; `chips` if there is a single rack.
    representatives
        Chips that represent all, see :class:`~topologies.topology.Topology`.
    chips_per_node
        Chips per node.
    ports_per_chip
        Most links a chip may have.
    """
    source = np.concatenate([bundle.source for bundle in bundles])
    target = np.concatenate([bundle.target for bundle in bundles])
    source_port = np.concatenate([bundle.source_port for bundle in bundles])
    target_port = np.concatenate([bundle.target_port for bundle in bundles])
    cables = [2 * len(bundle.source) for bundle in bundles]
    chip = np.arange(chips, dtype=np.int32)
    node, slot = np.divmod(chip, np.int32(chips_per_node))
    return Topology(
        name=name,
        chips=chips,
        active=chip,
        source=both_directions(source, target).astype(np.int32),
        target=both_directions(target, source).astype(np.int32),
        source_port=both_directions(source_port, target_port).astype(np.int16),
        target_port=both_directions(target_port, source_port).astype(np.int16),
        level=np.repeat([bundle.level for bundle in bundles], cables).astype(np.int8),
        length_m=np.repeat([bundle.length_m for bundle in bundles], cables),
        rack=chip // np.int32(chips_per_rack),
        node=node,
        slot=slot,
        representatives=representatives,
        ports_per_chip=ports_per_chip,
    )

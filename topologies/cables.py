"""Bundles of cables, and the topology they make when laid together."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from topologies.topology import Level, Topology
from topologies.validation import PORTS_PER_CHIP

CHIPS_PER_NODE = 8
NODES_PER_RACK = 9
CHIPS_PER_RACK = CHIPS_PER_NODE * NODES_PER_RACK


class CableBundle(NamedTuple):
    """Cables of one level and one length; each array has shape ``(cables,)``."""

    source: NDArray[np.int64]
    source_port: NDArray[np.int64]
    target: NDArray[np.int64]
    target_port: NDArray[np.int64]
    level: Level
    length_m: float


def there_and_back(
    there: NDArray[np.int64], back: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return both arrays interleaved: entry 2k from `there`, 2k + 1 from `back`.

    >>> there_and_back(np.array([0, 2]), np.array([1, 3]))
    array([0, 1, 2, 3])
    """
    return np.stack([there, back], axis=1).ravel()


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
    """Return the topology of regular nodes joined by `bundles`.

    Parameters
    ----------
    name
        Name of the topology.
    bundles
        Cables in the order in which they are numbered.
    chips
        Number of chips, in whole nodes.
    chips_per_rack
        Chips in each rack; `chips` if all stand in one.
    representatives
        Chips that stand for all, see :class:`~topologies.topology.Topology`.
    chips_per_node
        Chips of a node.
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
        source=there_and_back(source, target).astype(np.int32),
        target=there_and_back(target, source).astype(np.int32),
        source_port=there_and_back(source_port, target_port).astype(np.int16),
        target_port=there_and_back(target_port, source_port).astype(np.int16),
        level=np.repeat([bundle.level for bundle in bundles], cables).astype(np.int8),
        length_m=np.repeat([bundle.length_m for bundle in bundles], cables),
        rack=chip // np.int32(chips_per_rack),
        node=node,
        slot=slot,
        representatives=representatives,
        ports_per_chip=ports_per_chip,
    )

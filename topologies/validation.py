"""Validation of topologies: checks of active chips, cables and directed links."""

import numpy as np
from numpy.typing import NDArray

from specs.arrays import Floats
from specs.errors import TopologyError
from topologies.adjacency import components

PORTS_PER_CHIP = 11
"""C2C ports of the first-generation chip: 7 inside the node and 4 that leave it."""


def check_active(chips: int, active: NDArray[np.int32]) -> None:
    """Refuse a topology's active chips that are empty, repeated or not in the machine.

    Raises
    ------
    TopologyError
        The message names the chip.
    """
    if chips < 1:
        raise TopologyError(f"a machine needs at least 1 chip, got {chips}")
    if not len(active):
        raise TopologyError(f"no chip is active; name at least 1 of the {chips} chips")
    for chip in active[(active < 0) | (active >= chips)].tolist():
        raise TopologyError(
            f"active chip {chip} does not exist: chips are numbered 0 to {chips - 1}"
        )
    counts = np.bincount(active, minlength=chips)
    if counts.max() > 1:
        raise TopologyError(
            f"chip {counts.argmax()} is active {counts.max()} times; name it once"
        )


def check_cables(level: NDArray[np.int8], length_m: Floats, *, levels: int) -> None:
    """Refuse topology links of an unknown level, or without a positive, finite length.

    Raises
    ------
    TopologyError
        The message names the cable.
    """
    for link in np.flatnonzero((level < 0) | (level >= levels))[:1].tolist():
        raise TopologyError(
            f"cable {link // 2} has level {level[link]}: levels are 0 to {levels - 1}"
        )
    for link in np.flatnonzero(~((length_m > 0) & np.isfinite(length_m)))[:1].tolist():
        raise TopologyError(
            f"cable {link // 2} is {length_m[link]} m long; give it a length above 0 m"
        )


def check_links(
    chips: int,
    source: NDArray[np.int32],
    target: NDArray[np.int32],
    source_port: NDArray[np.int16],
    target_port: NDArray[np.int16],
    *,
    ports_per_chip: int = PORTS_PER_CHIP,
) -> None:
    """Refuse topology links that are not the cables of one connected machine.

    Parameters
    ----------
    chips
        Number of chips.
    source, target, source_port, target_port
        Ends of the directed links, shape ``(2 * cables,)``; entries ``2k`` and
        ``2k + 1`` are the two directions of cable ``k``.
    ports_per_chip
        Ports of a chip, numbered from 0.

    Raises
    ------
    TopologyError
        If the two directions of a cable differ, a chip does not exist, is linked to
        itself or has too few ports, a port is used twice, or the machine is in parts.
        The message names the chip and what to change.
    """
    _check_directions(source, target, source_port, target_port)
    for chip in source[(source < 0) | (source >= chips)].tolist():
        raise TopologyError(
            f"a link ends at chip {chip}: chips are numbered 0 to {chips - 1}"
        )
    for cable in np.flatnonzero(source == target)[:1].tolist():
        raise TopologyError(
            f"chip {source[cable]} is linked to itself by cable {cable // 2}; "
            "remove that cable"
        )
    _check_ports(chips, source, source_port, ports_per_chip)
    _check_connected(chips, source, target)


def _check_directions(
    source: NDArray[np.int32],
    target: NDArray[np.int32],
    source_port: NDArray[np.int16],
    target_port: NDArray[np.int16],
) -> None:
    """Refuse links ``2k`` and ``2k + 1`` that are not the directions of one cable."""
    if len(source) % 2:
        raise TopologyError(
            f"{len(source)} directed links: every cable needs one in each direction"
        )
    returns = (
        (source[0::2] == target[1::2])
        & (target[0::2] == source[1::2])
        & (source_port[0::2] == target_port[1::2])
        & (target_port[0::2] == source_port[1::2])
    )
    for cable in np.flatnonzero(~returns)[:1].tolist():
        raise TopologyError(
            f"directed links {2 * cable} and {2 * cable + 1} are not the two "
            f"directions of one cable: chip {source[2 * cable]} to "
            f"{target[2 * cable]}, then chip {source[2 * cable + 1]} to "
            f"{target[2 * cable + 1]}; swap the ends and ports of the second"
        )


def _check_ports(
    chips: int,
    source: NDArray[np.int32],
    source_port: NDArray[np.int16],
    ports_per_chip: int,
) -> None:
    """Refuse chips with too many links, unknown ports and ports that are used twice."""
    degree = np.bincount(source, minlength=chips)
    if degree.max() > ports_per_chip:
        chip = int(degree.argmax())
        raise TopologyError(
            f"chip {chip} has {degree[chip]} links but {ports_per_chip} ports; remove "
            f"{degree[chip] - ports_per_chip} of them or raise ports_per_chip"
        )
    wrong = (source_port < 0) | (source_port >= ports_per_chip)
    for link in np.flatnonzero(wrong)[:1].tolist():
        raise TopologyError(
            f"chip {source[link]} has no port {source_port[link]} (cable {link // 2}): "
            f"ports are numbered 0 to {ports_per_chip - 1}; use one of those or raise "
            "ports_per_chip"
        )
    # Each port is the source of at most one directed link.
    port = source.astype(np.int64) * ports_per_chip + source_port
    order = np.argsort(port, kind="stable")
    for place in np.flatnonzero(np.diff(port[order]) == 0)[:1].tolist():
        first, second = order[place], order[place + 1]
        used = set(source_port[source == source[first]].tolist())
        free = min(set(range(ports_per_chip)) - used)
        raise TopologyError(
            f"chip {source[first]} port {source_port[first]} is used by cables "
            f"{first // 2} and {second // 2}; port {free} is free"
        )


def _check_connected(
    chips: int, source: NDArray[np.int32], target: NDArray[np.int32]
) -> None:
    """Refuse a machine in several connected components."""
    part = components(chips, source, target)
    if part.any():
        parts = len(np.unique(part))
        chip = int(np.flatnonzero(part)[0])
        reached = int(np.count_nonzero(part == 0))
        raise TopologyError(
            f"chip {chip} cannot be reached from chip 0: the links make {parts} "
            f"separate parts, the first with {reached} of {chips} chips; add at "
            f"least {parts - 1} cables between them"
        )

"""Edge list of cables, as files and graphs hold it, and the topology it describes."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specs.arrays import Floats, Ints
from specs.errors import TopologyError, nearest
from topologies.adjacency import components
from topologies.cables import both_directions
from topologies.topology import Level, Topology

DEFAULT_LENGTH_M = 1.0
# The reach of optical modules for single-mode fibre (10GBASE-LR and its successors).
LONGEST_M = 10_000.0
# Nine digits fit 32 bits, and a mistyped number is reported as one.
_MOST_DIGITS = 9
_LEVELS = {level.label: level for level in Level}


class CableTable(NamedTuple):
    """Table of cables, one row per cable.

    Attributes
    ----------
    ends
        Chips at both ends, shape ``(cables, 2)``.
    ports
        Ports at both ends, below 0 where any free port may be used, shape
        ``(cables, 2)``.
    level
        :class:`~topologies.topology.Level` of each cable, shape ``(cables,)``.
    length_m
        Length of each cable, in m, shape ``(cables,)``.
    """

    ends: Ints
    ports: Ints
    level: NDArray[np.int8]
    length_m: Floats

    @classmethod
    def blank(cls, cables: int) -> "CableTable":
        """Return a table of `cables` rows with open ports and lengths of 1 m."""
        return cls(
            ends=np.zeros((cables, 2), np.int64),
            ports=np.full((cables, 2), -1, np.int64),
            level=np.zeros(cables, np.int8),
            length_m=np.full(cables, DEFAULT_LENGTH_M),
        )


def table_topology(
    name: str,
    table: CableTable,
    *,
    chips: int,
    places: dict[str, NDArray[np.int32]] | None,
    ports_per_chip: int,
) -> Topology:
    """Return the topology read from `table`, open ports and unknown places assigned.

    Parameters
    ----------
    name
        Name of the topology.
    table
        Cables, in the order of their numbers.
    chips
        Number of chips.
    places
        ``rack``, ``node`` and ``slot`` of each chip, each of shape ``(chips,)``, or
        ``None`` to derive them: chips joined by local cables form a node, and chips
        joined without global cables a rack.
    ports_per_chip
        Most links a chip may have.

    Raises
    ------
    TopologyError
        If no machine can have these cables.
    """
    ends = table.ends
    # Checked before the ports are narrowed to 16 bits, where 65 536 would become 0.
    for cable, end in np.argwhere(table.ports >= ports_per_chip)[:1].tolist():
        raise TopologyError(
            f"chip {ends[cable, end]} has no port {table.ports[cable, end]} (cable "
            f"{cable}): ports are numbered 0 to {ports_per_chip - 1}; use one of "
            "those or raise ports_per_chip"
        )
    ports = _assigned_ports(ends, table.ports)
    if places is None:
        places = _derived_places(chips, ends, table.level)
    return Topology(
        name=name,
        chips=chips,
        active=np.arange(chips, dtype=np.int32),
        source=both_directions(ends[:, 0], ends[:, 1]).astype(np.int32),
        target=both_directions(ends[:, 1], ends[:, 0]).astype(np.int32),
        source_port=both_directions(ports[:, 0], ports[:, 1]).astype(np.int16),
        target_port=both_directions(ports[:, 1], ports[:, 0]).astype(np.int16),
        level=np.repeat(table.level, 2),
        length_m=np.repeat(table.length_m, 2),
        rack=places["rack"],
        node=places["node"],
        slot=places["slot"],
        representatives=None,
        ports_per_chip=ports_per_chip,
    )


def level_named(name: object, where: str) -> Level:
    """Return the level called `name` in a topology that is read.

    Raises
    ------
    TopologyError
        If there is no such level; the message begins with `where`.
    """
    label = str(name).lower()
    if label not in _LEVELS:
        raise TopologyError(f"{where}: no level {label!r}; {nearest(label, _LEVELS)}")
    return _LEVELS[label]


def whole_number(value: object, name: str, where: str) -> int:
    """Return `value` of a topology that is read as a whole number from 0.

    Raises
    ------
    TopologyError
        If it is none, or has more than 9 digits; the message begins with `where`.
    """
    # Some programs write every number as a fraction.
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).strip()
    if not text.isdecimal() or len(text) > _MOST_DIGITS:
        raise TopologyError(
            f"{where}: {name} must be a whole number from 0, with {_MOST_DIGITS} "
            f"digits at most, got {value!r}"
        )
    return int(text)


def length_in_m(value: object, where: str) -> float:
    """Return `value` of a topology that is read as a length in m.

    Raises
    ------
    TopologyError
        If it is no number above 0 and up to 10,000; the message begins with `where`.
    """
    try:
        length_m = float(str(value))
    except ValueError:
        length_m = -1.0
    if not 0 < length_m <= LONGEST_M:
        raise TopologyError(
            f"{where}: length_m must be > 0 metres and at most {LONGEST_M:,.0f}, "
            f"got {value!r}"
        )
    return length_m


def _assigned_ports(ends: Ints, ports: Ints) -> Ints:
    """Return ports of a topology that is read: the lowest free one at each open end.

    Given ports are reserved first. Open ends are assigned in the order of the cables.
    """
    assigned = ports.copy()
    taken: dict[int, set[int]] = {}
    for chip, port in zip(ends.ravel().tolist(), ports.ravel().tolist(), strict=True):
        taken.setdefault(chip, set()).add(port)
    for cable, end in np.argwhere(ports < 0).tolist():
        of_chip = taken[int(ends[cable, end])]
        free = next(port for port in range(len(of_chip) + 1) if port not in of_chip)
        assigned[cable, end] = free
        of_chip.add(free)
    return assigned


def _derived_places(
    chips: int, ends: Ints, level: NDArray[np.int8]
) -> dict[str, NDArray[np.int32]]:
    """Return rack, node and slot of each chip that is read, derived from its cables.

    Chips joined by local cables form a node, and chips joined without global cables a
    rack. Both are numbered in the order of their lowest chips.
    """

    def joined_by(cable: NDArray[np.bool_]) -> NDArray[np.int32]:
        """Return the component of each chip under the selected cables."""
        a, b = ends[cable].T
        lowest = components(chips, np.concatenate([a, b]), np.concatenate([b, a]))
        return np.unique(lowest, return_inverse=True)[1].astype(np.int32)

    node = joined_by(level == Level.LOCAL)
    by_node = np.argsort(node, kind="stable")
    first = np.searchsorted(node[by_node], node[by_node])
    slot = np.zeros(chips, np.int32)
    slot[by_node] = np.arange(chips) - first
    return {"rack": joined_by(level != Level.GLOBAL), "node": node, "slot": slot}

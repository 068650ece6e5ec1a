"""The topology for a number of chips, by kind or from a file."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from specs.errors import TopologyError, nearest
from topologies.cables import CHIPS_PER_NODE, CHIPS_PER_RACK
from topologies.dragonfly import MOST_RACKS, dragonfly_topology
from topologies.interchange import SUFFIXES, read_topology
from topologies.node import node_topology
from topologies.nodes33 import NODES, nodes33_topology
from topologies.rack import rack_topology
from topologies.topology import Topology
from topologies.validity import PORTS_PER_CHIP

MOST_CHIPS = MOST_RACKS * CHIPS_PER_RACK

_FIXED: dict[str, tuple[int, Callable[[], Topology]]] = {
    "node": (CHIPS_PER_NODE, node_topology),
    "rack": (CHIPS_PER_RACK, rack_topology),
    "nodes33": (CHIPS_PER_NODE * NODES, nodes33_topology),
}
KINDS = ("auto", *_FIXED, "dragonfly")


def select_topology(
    chips: int, topology: str = "auto", *, ports_per_chip: int = PORTS_PER_CHIP
) -> Topology:
    """Return a topology whose first `chips` chips are active.

    Parameters
    ----------
    chips
        Chips the workload uses.
    topology
        ``"auto"``: the smallest of a node (8), a rack on its own (72) and a dragonfly
        of whole racks (up to 10 440). ``"node"``, ``"rack"``, ``"nodes33"`` and
        ``"dragonfly"`` force the kind. A path that ends in .csv or .graphml is read.
    ports_per_chip
        Most links a chip may have in a file; the kinds built here need 11.

    Raises
    ------
    TopologyError
        If the kind is unknown or does not hold so many chips.

    Examples
    --------
    >>> machine = select_topology(576)
    >>> machine.name, machine.chips, machine.active_chips
    ('dragonfly', 576, 576)
    """
    if chips < 1:
        raise TopologyError(f"a machine needs at least 1 chip, got {chips}")
    if Path(topology).suffix.lower() in SUFFIXES:
        built = read_topology(Path(topology), ports_per_chip=ports_per_chip)
        if chips > built.chips:
            raise TopologyError(
                f"{topology}: {chips} chips asked for, but the file has "
                f"{built.chips}; ask for {built.chips} at most"
            )
    elif topology not in KINDS:
        raise TopologyError(
            f"no topology {topology!r}; {nearest(topology, KINDS)} "
            "(or a path that ends in .csv or .graphml)"
        )
    else:
        built = _built(chips, topology)
    if chips == built.chips:
        return built
    return replace(built, active=np.arange(chips, dtype=np.int32))


def whole_machine_chips(topology: str) -> int | None:
    """Return the chips of a machine of fixed size or of a file, None for other kinds.

    Raises
    ------
    TopologyError
        If a file cannot be read.
    """
    if Path(topology).suffix.lower() in SUFFIXES:
        return read_topology(Path(topology)).chips
    return _FIXED[topology][0] if topology in _FIXED else None


def _built(chips: int, kind: str) -> Topology:
    if chips > MOST_CHIPS:
        raise TopologyError(
            f"{chips} chips asked for, but the largest system is {MOST_RACKS} racks, "
            f"{MOST_CHIPS} chips; ask for {MOST_CHIPS} at most"
        )
    if kind == "auto" and chips <= CHIPS_PER_NODE:
        kind = "node"
    if kind not in _FIXED:
        return dragonfly_topology(racks=-(-chips // CHIPS_PER_RACK))
    holds, build = _FIXED[kind]
    if chips > holds:
        larger = [
            f"{other!r} ({most})"
            for other, (most, _) in _FIXED.items()
            if most >= chips
        ]
        ways_out = ", ".join([*larger, f"'dragonfly' ({MOST_CHIPS})"])
        raise TopologyError(
            f"{chips} chips asked for, but topology {kind!r} holds {holds}; "
            f"use 'auto' or one that holds enough: {ways_out}"
        )
    return build()

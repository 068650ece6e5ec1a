"""Selection of a topology for a number of chips, by name or from a file."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from specs.errors import TopologyError, nearest
from topologies.builders.all_to_all_nodes import NODES, nodes33_topology
from topologies.builders.dragonfly import MOST_RACKS, dragonfly_topology
from topologies.builders.graph_families import (
    FAMILIES,
    family_chips,
    family_topology,
    names_a_family,
)
from topologies.builders.lpx import LPX_CHIPS, lpx_holding
from topologies.builders.node import node_topology
from topologies.builders.port_order import DEFAULT_ORDER
from topologies.builders.rack import rack_topology
from topologies.cables import CHIPS_PER_NODE, CHIPS_PER_RACK
from topologies.io.files import SUFFIXES, read_topology
from topologies.topology import Topology
from topologies.validation import PORTS_PER_CHIP

MOST_CHIPS = MOST_RACKS * CHIPS_PER_RACK
LPX = "lpx"

_FIXED: dict[str, tuple[int, Callable[[], Topology]]] = {
    "node": (CHIPS_PER_NODE, node_topology),
    "rack": (CHIPS_PER_RACK, rack_topology),
    "nodes33": (CHIPS_PER_NODE * NODES, nodes33_topology),
}
# Configuration names of Groq's own tools: chips of a node, or of a rack. How "DF" is
# wired beyond a node is not published; it is a rack here, too, not all of it active.
_VENDOR = {
    **{
        f"DF_A14_{chips}_CHIP": (
            chips,
            node_topology if chips <= CHIPS_PER_NODE else rack_topology,
        )
        for chips in (2, 4, 8, 16, 32, 64)
    },
    **{
        f"RT09_A14_{chips}_CHIP": (chips, rack_topology)
        for chips in (16, 32, 40, 48, 56, 64, 72)
    },
}
KINDS = ("auto", *_FIXED, "dragonfly", LPX, *FAMILIES, *_VENDOR)


def select_topology(
    chips: int, topology: str = "auto", *, ports_per_chip: int = PORTS_PER_CHIP
) -> Topology:
    """Return a topology whose first `chips` chips are active.

    Parameters
    ----------
    chips
        Number of chips that the workload uses.
    topology
        Name or path of the topology:

        - ``"auto"``: the smallest of a node (8), a single rack (72) and a dragonfly of
          whole racks (up to 10 440).
        - ``"node"``, ``"rack"``, ``"nodes33"`` and ``"dragonfly"``: that kind;
          ``"dragonfly:palmtree"`` also selects an order of
          :mod:`topologies.builders.port_order`.
        - ``"lpx"``: the groups of an LPX rack that hold the chips, or whole racks.
        - A name of :mod:`topologies.builders.graph_families`, such as ``"torus:8x8"``.
        - Names by Groq: ``"DF_A14_8_CHIP"`` (2, 4 or 8 chips of a node; 16, 32 or 64
          of a rack) and ``"RT09_A14_72_CHIP"`` (16 to 72 chips of a rack).
        - A path that ends in .csv or .graphml: the topology of that file.
    ports_per_chip
        Most links a chip may have. Nodes, racks and dragonflies need 11, ``"lpx"`` 94.

    Raises
    ------
    TopologyError
        If the name is unknown, a file cannot be read, or the topology has too few
        chips or needs too many ports.

    Examples
    --------
    >>> machine = select_topology(576)
    >>> machine.name, machine.chips, machine.active_chips
    ('dragonfly', 576, 576)
    """
    if chips < 1:
        raise TopologyError(f"a machine needs at least 1 chip, got {chips}")
    built = _built(chips, topology, ports_per_chip)
    if chips > built.active_chips:
        raise TopologyError(
            f"{topology}: {chips} chips asked for, but it has {built.active_chips} "
            f"that can work; ask for {built.active_chips} at most"
        )
    if chips == built.active_chips:
        return built
    return replace(built, active=built.active[:chips])


def whole_machine_chips(topology: str) -> int | None:
    """Return the number of chips that a topology name fixes, None if it fixes none.

    Names of a whole machine, of a graph family with sides, and of a file fix it.

    Raises
    ------
    TopologyError
        If a file cannot be read.
    """
    if Path(topology).suffix.lower() in SUFFIXES:
        return read_topology(Path(topology)).chips
    if names_a_family(topology):
        return family_chips(topology)
    if topology == LPX:
        return LPX_CHIPS
    fixed = {**_FIXED, **_VENDOR}
    return fixed[topology][0] if topology in fixed else None


def _built(chips: int, topology: str, ports_per_chip: int) -> Topology:
    """Return the topology of that name or path with all its chips active."""
    if Path(topology).suffix.lower() in SUFFIXES:
        return read_topology(Path(topology), ports_per_chip=ports_per_chip)
    if names_a_family(topology):
        return family_topology(chips, topology, ports_per_chip=ports_per_chip)
    kind, colon, order = topology.partition(":")
    if kind not in KINDS or (colon and kind != "dragonfly"):
        raise TopologyError(
            f"no topology {topology!r}; {nearest(kind, KINDS)} "
            "(or a path that ends in .csv or .graphml)"
        )
    if kind == LPX:
        return lpx_holding(chips)
    return _groqrack(chips, kind, order or DEFAULT_ORDER)


def _groqrack(chips: int, kind: str, order: str) -> Topology:
    """Return the node, rack, 33 nodes or dragonfly for `chips`, of a kind or "auto"."""
    if chips > MOST_CHIPS:
        raise TopologyError(
            f"{chips} chips asked for, but the largest system is {MOST_RACKS} racks, "
            f"{MOST_CHIPS} chips; ask for {MOST_CHIPS} at most"
        )
    if kind == "auto" and chips <= CHIPS_PER_NODE:
        kind = "node"
    fixed = {**_FIXED, **_VENDOR}
    if kind not in fixed:
        return dragonfly_topology(-(-chips // CHIPS_PER_RACK), order)
    holds, build = fixed[kind]
    if chips > holds:
        larger = [
            f"{other!r} ({most})"
            for other, (most, _) in _FIXED.items()
            if most >= chips
        ]
        alternatives = ", ".join([*larger, f"'dragonfly' ({MOST_CHIPS})"])
        raise TopologyError(
            f"{chips} chips asked for, but topology {kind!r} holds {holds}; "
            f"use 'auto' or one that holds enough: {alternatives}"
        )
    return build()

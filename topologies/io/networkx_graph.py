"""Topologies from networkx graphs, with places and ports as attributes."""

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from specs.errors import TopologyError, nearest
from topologies.io.edge_list import (
    DEFAULT_LENGTH_M,
    CableTable,
    length_in_m,
    level_named,
    table_topology,
    whole_number,
)
from topologies.topology import Topology
from topologies.validation import PORTS_PER_CHIP

if TYPE_CHECKING:
    import networkx as nx

_PLACES = ("rack", "node", "slot")
_CABLE = ("source_port", "target_port", "level", "length_m")
# What other programs write beside, which says nothing of a machine.
_IGNORED = ("id", "name", "label", "pos", "x", "y")

Label = TypeVar("Label", bound=Hashable)


def from_networkx(
    graph: "nx.Graph[Label]",
    *,
    name: str | None = None,
    ports_per_chip: int = PORTS_PER_CHIP,
) -> Topology:
    """Return the topology imported from a graph's nodes and edges.

    Parameters
    ----------
    graph
        An undirected graph or multigraph. Nodes labelled 0 to n - 1 keep their
        numbers; other labels are numbered in the graph's order. Edges may carry
        ``source_port`` (at the smaller chip number), ``target_port``, ``level``
        (``local``, ``rack``, ``global``) and ``length_m``; they default to the chip's
        lowest free port, ``local`` and 1 m. Nodes may carry ``rack``, ``node`` and
        ``slot``; without them, chips joined by local cables form a node, and nodes
        joined without global cables a rack.
    name
        Name of the topology; the graph's own if not given, or else ``"graph"``.
    ports_per_chip
        Most links a chip may have.

    Raises
    ------
    TopologyError
        If the graph is directed or empty, an attribute is unknown or has no valid
        value, or no machine can have these cables.

    Examples
    --------
    >>> import networkx as nx
    >>> from_networkx(nx.petersen_graph(), name="petersen").links
    15
    """
    if graph.is_directed():
        raise TopologyError(
            "the graph is directed, but a cable carries both directions; "
            "use graph.to_undirected()"
        )
    number = _chip_numbers(graph)
    chips = len(number)
    table = CableTable.blank(graph.number_of_edges())
    for cable, (u, v, attributes) in enumerate(graph.edges(data=True)):
        where = f"edge {u} - {v}"
        _check_names(attributes, _CABLE, where)
        table.ends[cable] = sorted((number[u], number[v]))
        for end, port in enumerate(("source_port", "target_port")):
            if port in attributes:
                table.ports[cable, end] = whole_number(attributes[port], port, where)
        table.level[cable] = level_named(attributes.get("level", "local"), where)
        table.length_m[cable] = length_in_m(
            attributes.get("length_m", DEFAULT_LENGTH_M), where
        )
    return table_topology(
        str(name or graph.graph.get("name") or "graph"),
        table,
        chips=chips,
        places=_places(graph, number),
        ports_per_chip=ports_per_chip,
    )


def _chip_numbers(graph: "nx.Graph[Label]") -> dict[Label, int]:
    """Return the chip number of each imported label: the label itself if possible."""
    labels = list(graph)
    if not labels:
        raise TopologyError("the graph has no nodes; a machine needs at least 1 chip")
    # GraphML returns numbers as text, so "7" counts as 7.
    digits = [str(label) for label in labels]
    if all(text.isdecimal() for text in digits):
        numbers = [int(text) for text in digits]
        if sorted(numbers) == list(range(len(labels))):
            return dict(zip(labels, numbers, strict=True))
    return {label: number for number, label in enumerate(labels)}


def _check_names(
    attributes: Mapping[str, object], known: tuple[str, ...], where: str
) -> None:
    """Refuse an imported node or edge with an attribute that would be left out."""
    for name in attributes:
        if name not in known and name not in _IGNORED:
            raise TopologyError(
                f"{where}: no attribute {name!r}; {nearest(str(name), known)}"
            )


def _places(
    graph: "nx.Graph[Label]", number: Mapping[Label, int]
) -> dict[str, NDArray[np.int32]] | None:
    """Return rack, node and slot of each imported chip, None unless all have them."""
    for label in graph:
        _check_names(graph.nodes[label], _PLACES, f"node {label}")
    if not all(name in graph.nodes[label] for label in graph for name in _PLACES):
        return None
    places = {name: np.zeros(len(number), np.int32) for name in _PLACES}
    for label, chip in number.items():
        for name in _PLACES:
            places[name][chip] = whole_number(
                graph.nodes[label][name], name, f"chip {chip}"
            )
    # Numbers of racks and nodes are names: 0, 1, 2 in their order, whatever they are.
    for name in ("rack", "node"):
        places[name] = np.unique(places[name], return_inverse=True)[1].astype(np.int32)
    return places

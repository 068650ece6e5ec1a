"""The wiring: which chip is linked to which, by which port, over how many metres.

Builders return a :class:`~topologies.topology.Topology`, a value that is never
modified. Everything else here reads it: routes, spanning trees, figures, files.
"""

from topologies.builders.all_to_all_nodes import nodes33_topology
from topologies.builders.dragonfly import dragonfly_topology
from topologies.builders.node import node_topology
from topologies.builders.rack import rack_topology
from topologies.io.networkx_graph import from_networkx
from topologies.metrics.summary import TopologySummary, describe
from topologies.routing.spanning_tree import SpanningTree, spanning_tree
from topologies.routing.static_routes import Routes
from topologies.selection import select_topology
from topologies.topology import Level, Topology

__all__ = [
    "Level",
    "Routes",
    "SpanningTree",
    "Topology",
    "TopologySummary",
    "describe",
    "dragonfly_topology",
    "from_networkx",
    "node_topology",
    "nodes33_topology",
    "rack_topology",
    "select_topology",
    "spanning_tree",
]

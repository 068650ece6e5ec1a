"""The wiring: which chip is linked to which, by which port, over how many metres.

Builders return a :class:`~topologies.topology.Topology`, a value that is never
modified. Everything else here reads it: routes, spanning trees, figures, files.
"""

from topologies.dragonfly import dragonfly_topology
from topologies.graphs import from_networkx
from topologies.metrics import TopologySummary, describe
from topologies.node import node_topology
from topologies.nodes33 import nodes33_topology
from topologies.rack import rack_topology
from topologies.routes import Routes
from topologies.selection import select_topology
from topologies.topology import Level, Topology
from topologies.tree import SpanningTree, spanning_tree

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

"""Topologies: which chip is linked to which, by which port and what length of cable.

Builders return a `topologies.topology.Topology`, a value that is never modified.
Everything else here reads it.

topology, validation: Topology, Level, and the checks of a topology
adjacency: Adjacency, components
cables, link_samples: bundles of cables, and the measured link that each follows
floor_plan: cable_lengths_m, on_floor, rack_positions_m
selection: select_topology
builders: families of graphs, such as dragonfly_topology
routing: Routes, minimal_paths, spanning_tree
metrics: describe, uniform_traffic
io: read_topology, from_networkx
outage, spare_nodes: what is broken, and what stands in for it
"""

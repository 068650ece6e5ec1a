"""Builders of topologies: the machines of one vendor and the graph families of others.

node: LOCAL_LENGTH_M, LOCAL_PORTS, local_cables, node_topology
rack: PORTS_LEAVING_NODE, RACK_LENGTH_M, rack_cables, rack_topology
all_to_all_nodes: NODES, nodes33_topology, node_system
dragonfly: GLOBAL_LENGTH_M, MOST_RACKS, OUTWARD_PORTS_PER_RACK, dragonfly_topology
lpx: CHIPS_PER_GROUP, LPX_CHIPS, MOST_LPX_RACKS, PORTS_PER_LPX_CHIP, lpx_holding,
    lpx_racks, lpx_topology
global_link_arrangement: Arrangement, GroupCables, even_arrangement, group_cables
port_order: ANNEALED_ORDER, DEFAULT_ORDER, ORDERS, PortOrder, check_order, costas_order,
    port_order
port_order_annealing: annealed_order, total_hops, main
flat_chips: MOST_CHIPS, check_size, flat_topology
torus_and_butterfly: flattened_butterfly_topology, torus_topology
fat_tree: fat_tree_topology
graph_families: FAMILIES, family_chips, family_topology, names_a_family
"""

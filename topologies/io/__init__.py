"""Topologies from and to files and graphs: CSV lists of links, GraphML, networkx.

files: COLUMNS, SUFFIXES, csv_text, graphml_text, read_topology
networkx_graph: from_networkx
edge_list: DEFAULT_LENGTH_M, CableTable, length_in_m, level_named, table_topology,
    whole_number
"""

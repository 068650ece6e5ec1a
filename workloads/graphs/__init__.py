"""Graphs of files, names and Python: any computation as tensors and operators.

workload: Workload, load_workload, workload_names
presets: NAMED, named_graph
graph_of_workload: WorkloadGraph, graph_of_workload; the graph that is evaluated
numberings: numberings, weight_blocks, chained_to; how elements are counted
"""

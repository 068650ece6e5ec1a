"""Graphs of files, names and Python: any computation as tensors and operators.

workload: Workload, load_workload, workload_names
presets: NAMED, named_graph
"""

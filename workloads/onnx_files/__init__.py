"""ONNX files: their nodes as the operators of a workload.

onnx_graph: load_onnx, graph_of_model
reading: read_model, shaped_model; a file, its nodes in order, its shapes
model_reader: ModelReader, NODES, from node to node
node_order: check_names, sort_nodes, name_of
open_sizes: set_sizes
graph_builder: OnnxGraphBuilder
weight_sources: OnnxGraph, WeightSource
graph_folding: folded; factors into weights
graph_finish: finished_graph; outputs and chained operators
values: Value; where the elements of a value are
constants: Constants; numbers that are known beforehand
"""

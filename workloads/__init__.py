"""Workloads: what is computed, as operators and tensors with shapes, unsharded.

model_graph: graph_of; the operator graph of a model
operator_graph, operators, attributes: OperatorGraph, Block, GraphOperator and parts
feed_forward_attributes: ChoiceAttributes, ActivateAttributes
rotary: Rotary
graph_attributes: what vector operators and products of other graphs need
graph_files: graph_content, load_graph; a model's graph as a file
recognition: load_model_or_graph, model_of_graph; the model that a graph is of
feed_forward_recognition: feed_forward_sizes; its feed-forwards and experts
linear_recognition: linear_fields, families_like; its linear attention
operator_costs: OperatorCost, operator_cost
graph_validation: every tensor made once, before its use, and of a size that fits
graphs: Workload; graphs of files, names and Python
transformer: embedding, attention, feed-forward and head blocks
reference: evaluate, random_weights; what each operator computes, in NumPy
collective: Collective, CollectivePlan, TENSOR, SUM; a collective alone
decoding: decode; a prompt, then tokens with a growing KV cache
"""

"""Rules by which a program computes a graph that is not of a model.

The elements of its values are counted as `workloads.graphs.numberings` says. Each rule
is local, as those of models are: by the function of an operator, what it makes follows
from what it reads. No rule knows a graph by name.

stated: Region, StatedOperation, stated_operations, GraphFacts
product_rules: matrix_product, total, paired_product, lookup_rows, partial_sum
vector_rules: vector
completeness: check_complete, check_stated
work: check_graph_work
sizes: GraphSizes
results: states_there, check_graph_results, check_graph_residency, check_graph_memory
proof: graph_checks
"""

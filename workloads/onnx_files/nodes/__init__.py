"""Nodes of ONNX graphs, each kind read into operators of a workload.

node: Node, UnreadNodeError; what a reader of a node sees
elementwise: ELEMENTWISE_NODES; arithmetic, comparisons, activations
movement: MOVEMENT_NODES, concatenated; reshapes, transposes, slices, joins, look-ups
padding: PADDING_NODES
products: PRODUCT_NODES, with_weights, in_pairs, multiplied, scaled
windows: Windows, windows_of, window_view; of convolutions and pools
convolution: CONVOLUTION_NODES
reductions: REDUCTION_NODES, reduced; pools too
norms: NORM_NODES, softmax
attention: ATTENTION_NODES
"""

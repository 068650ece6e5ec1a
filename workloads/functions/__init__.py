"""What each operator computes: functions of NumPy arrays.

residual_stream: embed, norm_weigh, norm_scale, norm_add, product, add
attention: head_norm, head_scale, position, scores, softmax, values
feed_forward_and_head: router, choose, activate, candidate, sample
graph_operators: matrix_product, paired_product, vector, lookup_rows
vector_functions: vector_function, by name
activations: activation, by name
"""

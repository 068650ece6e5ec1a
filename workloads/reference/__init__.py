"""Reference: what each operator computes, unsharded, as functions of NumPy arrays.

evaluation: evaluate, random_weights, of a whole graph
residual_stream: embed, norm_weigh, norm_scale, norm_add, product, add
attention: head_norm, head_scale, position, scores, softmax, values
positions: attended, alibi_slopes, fallen_scores
linear_attention: output_gate, convolve, unit_norm, decay, delta_rule, gated_norm
feed_forward_and_head: router, choose, activate, candidate, sample
routing: expert_weights
graph_operators: matrix_product, paired_product, vector, lookup_rows
vector_functions: vector_function, by name
activations: activation, by name
"""

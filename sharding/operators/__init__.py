"""The operators of a block: work and exchanges of each chip of a tensor group.

operators: ShardedOperator, Compute, Exchange, Unit, Pattern, compute
operator_builders: matrix_product, vector
residual_stream: whole_group, gathered_input, normed_input, reduced_output
attention: attention
feed_forward: feed_forward
expert_routing: Routed, routed
block_operators: block_operators, carried_bytes, token_bytes
"""

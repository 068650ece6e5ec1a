"""The operators of a block: work, values and exchanges of each chip of a tensor group.

operators: ShardedOperator, Compute, Exchange, Unit, Pattern, compute, nothing
operands: Operand, Operation, operand, shards, RESIDUAL
operator_builders: matrix_product, vector
residual_stream: whole_group, normed_shard, gathered_input, weighing, scaling,
    normed_input
partial_sums: PartialSum, reduced_output
attention: attention
attention_regions: AttentionRegions, ATTENTION
feed_forward: feed_forward, feed_forward_carried
feed_forward_regions: FeedForwardRegions, FEED_FORWARD
expert_routing: Routed, routed
embedding: embedding, embedded, TOKENS
head: head, pooler, candidates, HEAD, TOKEN, CANDIDATE_BYTES
block_operators: block_operators, carried_bytes, carried_operands, token_bytes
"""

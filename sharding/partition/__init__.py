"""Partition of a graph's blocks: the operators of each chip of a group, and exchanges.

block_operators: block_operators, block_overlaps; the operators of a block, by a rule
    for each function
block_partition: BlockPartition; a block of the graph on a group, with its sizes
norms: weigh, scale, gather_residual, weighing, scaling, weighed_shard, router_scores
products: multiply, early_product, late_product, inner_cut
heads: norm_heads, place_heads, scale_heads
attention_cuts: AttentionCuts, LatentCuts, LinearCuts
attention: score, soften, attend, gate_output
feed_forward_cuts: FeedForwardCuts, unscaled
feed_forward: activate
expert_routing: Routed, routed, score_experts, choose_experts
partial_sums: add, add_normed, accumulated, summed_parts
embedding: look_up, add_tables, embedded, TOKENS
head: choose_candidate, sample, candidates, TOKEN, CANDIDATE_BYTES
pooling: weigh_states, scale_states, activate_pooled
stage_boundary: carried_bytes, carried_operands, token_bytes
"""

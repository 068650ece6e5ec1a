"""What each function of a dataflow computes from the operands of a call.

table: FUNCTIONS, LATENT_FUNCTIONS
residual_stream: looked_up, added_tables, weighed, scaled, added, added_normed
products: product, biased, partial_sum, scaled_sum
attention: head_weighed, positioned, turned, head_scaled, scores, masked, softmax,
    attended, combined
latent_attention: latent_normed, latent_positioned, absorbed, expanded, latent_scores,
    latent_attended, expanded_values
linear_attention: output_gated, convolved, unit_normed, decayed, delta_updated,
    gate_normed
graph_operators: matrix_product, paired_product, total, vector, lookup_rows
feed_forward_and_head: expert_scores, activated, candidate, sampled
routing: chosen
"""

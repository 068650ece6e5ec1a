"""The blocks that families of transformers share.

block_builder: Transformer, BlockBuilder
residual_stream: weighed_input, scaled_input, reduced_output
embedding_and_head: embedding, head, pooler
attention: attention, rotary
latent_attention, linear_attention: the same, of other kinds
feed_forward: feed_forward
"""

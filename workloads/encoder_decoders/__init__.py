"""Graphs of encoder-decoders: the pass of the encoder, and a token of the decoder.

pass_graph: PassGraph, graph_of_pass, graph_of_model; the graph of a pass by its name
encoder_pass: encoder_pass; from tokens or sounds to the keys and values of a decoder
decoder_token: decoder_token; a token that attends to those, and to its own cache
encoder_attention: query_blocks, self_attention
decoder_attention: cached_attention, cross_attention
cross_keys: cross_names, cross_keys_and_values
attention_parts: attend, attention_output, by_heads, by_columns
feed_forward: feed_forward
stack_builder: Size, StackBuilder; tensors and operators of a stack
relative_positions: bucket_of, Run, bucket_runs, bias_of_distances
checkpoint_weights: checkpoint_weights; numbers of a graph from those of a checkpoint
"""

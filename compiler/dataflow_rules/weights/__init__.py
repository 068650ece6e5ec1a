"""Weights of a plan: their names in checkpoints, and the bytes that they take.

checkpoint_tensors: Part, checkpoint_parts
stored_weights: BlockSizes, block_sizes, format_of_matrix, resident_bytes,
    stored_inputs, product_modes
"""

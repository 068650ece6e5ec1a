"""The blocks of a transformer, their weight tensors, and the task of computing them.

blocks: Block, BlockKind, whole_blocks, model_units, merged
task: Task, bytes_of, like_block
slice_table: SliceTable, COLUMNS
stored_weights: tensor_format, matrices_of, slice_bytes, checkpoint_bytes
tensor_names: names_of
weight_slices: block_slices, counted_slices
latent_slices: latent_slices
linear_slices: linear_slices
group_slices: GroupSlices, ProjectionRows, is_of_later_block
"""

"""What a strategy means: how tensor, pipeline, data and expert parallelism split work.

strategy: Strategy, parse_strategy
feasibility: check_model, check_positions
tensor_group: TensorGroup, Range, FeedForwardLayout, Routing, group_of, grid_inputs
ranges: TensorSlices, HeadSplit, bounds, shard_sizes, head_split, head_rows, head_sizes
overlap: Overlap, NO_OVERLAP, own_columns, other_columns
grid: Grid, parse_grids, grids
"""

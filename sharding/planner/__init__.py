"""The sharding plan: stages balanced by compute within each chip's memory.

plan: ShardingPlan, Stage, plan_sharding, fitting_plan, staged_plan
stage_partition: stage_cuts, stage_blocks, cuts_by_memory, fits_in_memory, held_bytes,
    piece_cycles
min_max_partition: balanced_cuts
memory: StageMemory, stage_memory, stage_memories, weight_bytes, least_weight_bytes,
    kv_cache_bytes, activation_bytes
infeasibility: capacity_error, smallest_pipeline, fewest_chips, fits
coverage: check_coverage, miscounted_rectangle
chunked_prefill: prompt_chunks, chunk_plans, cache_plan, pass_plan, largest_chunk,
    check_chunk
"""

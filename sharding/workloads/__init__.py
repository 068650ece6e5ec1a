"""Workloads: any graph of operators split over chips by a grid.

workload_plan: WorkloadPlan, WorkloadStage
workload_planner: plan_workload
workload_stages: uncut_runs, stage_ranges
workload_gathers: Shards, shards_of, gathering_stage, gather, crossing,
    crossing_shards, crossing_bytes
workload_operators: workload_steps
workload_regions: OperatorRegions; what operators read and make on each chip
workload_builders: matmul, vector_operator, partial_sum, lookup_operator
workload_memory: workload_memory, stored_bytes, alive_bytes
workload_cost: WorkloadCost, operator_work, workload_work, least_mxm_cycles
tensor_layout: Use, uses_of, held_elements, split_columns, stays_split, format_of
"""

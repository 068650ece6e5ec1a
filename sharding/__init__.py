"""Sharding: which chip holds which slice of a model and computes which operator.

parallelism: Strategy, parse_strategy, TensorGroup
weights: blocks of a model, and their weights
operators, partition: sharded operators, and those of a block, cut from its graph
planner: ShardingPlan, Stage, plan_sharding, check_coverage
placement: which chips a plan uses
workloads: WorkloadPlan; the same for any graph of operators
plan_import: edited_plan; a plan from a CSV file
"""

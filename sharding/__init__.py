"""Sharding: which chip holds which slice of a model and computes which operator.

parallelism: Strategy, parse_strategy, TensorGroup
transformer, operators: blocks of a model, and the operators of a block on each chip
planner: ShardingPlan, Stage, plan_sharding, check_coverage
placement: which chips a plan uses
graph: WorkloadPlan; the same for any graph of operators
plan_import: edited_plan; a plan from a CSV file
"""

"""Sharding: which chip holds which slice of a model and computes which operator.

parallelism: Strategy, parse_strategy, TensorGroup
weights, operators: blocks of a model, their weights, and the operators of a block
planner: ShardingPlan, Stage, plan_sharding, check_coverage
placement: which chips a plan uses
graph: WorkloadPlan; the same for any graph of operators
plan_import: edited_plan; a plan from a CSV file
"""

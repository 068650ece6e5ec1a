"""Workloads computed with real numbers, beside their reference.

execution: run_workload_execution, WorkloadExecution, check_workload, everywhere
engine_values: graph_settings, engine_weights, random_inputs
"""

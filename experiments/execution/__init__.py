"""Execution with real numbers: what chips compute, compared with a reference.

model_execution: run_execution, Execution, check_executable
workload_execution: run_workload_execution, WorkloadExecution, check_workload,
    everywhere
collective_execution: execute_collective, CollectiveExecution, largest_difference
program_runner: ProgramRunner
operator_settings: operator_settings, engine_weights, random_tokens
workload_values: graph_settings, engine_weights, random_inputs
"""

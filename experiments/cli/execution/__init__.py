"""Command ``groqrack execute``: models, workloads and collectives with numbers.

execute: execute_command, execution_summary, execution_report
execute_collective, execute_workload: what it does for a collective and a workload
"""

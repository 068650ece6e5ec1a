"""Runs with numbers: what chips compute, compared with what NumPy does.

collective_execution: execute_collective, CollectiveExecution, largest_difference
"""

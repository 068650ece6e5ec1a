"""What experiment scripts share: command line, files, rows and resumption.

experiment_script: run_script, Resumable, Experiment, Findings, Tables, SHOWN
scenario_rows: scenario_row, best_strategy_row, latency_columns
checkpoint: Checkpoint
"""

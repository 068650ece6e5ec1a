"""What experiment scripts share: command line, files, costs and resumption.

experiment_script: run_script, Resumable, Experiment, Findings, Tables, SHOWN
checkpoint: Checkpoint
costs: costs, Cost
listing: listing, experiment_names
"""

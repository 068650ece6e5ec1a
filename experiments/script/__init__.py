"""What experiment scripts share: command line, files and resumption.

experiment_script: run_script, Resumable, Experiment, Findings, Tables, SHOWN
checkpoint: Checkpoint
"""

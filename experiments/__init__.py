"""Experiments: questions asked of the machine, and the command line.

A script at the top asks one question; ``python -m experiments`` lists them. Nothing is
imported here, so that ``groqrack --help`` need not wait for NumPy.

run: run_scenario, run_collective, Run
execution: models, workloads and collectives computed with real numbers
report, tables, plots, trace: summary, tables as data frames, pictures, traces
html_report: report_page, a run as one HTML file
sweep: run_sweep
plan_report: explained, plan_front
validation: validation_rows
script: what scripts share
sabotage: valid programs, tampered with
drift, traffic: studies of clocks without deskews, and of traffic between all chips
cli: main
"""

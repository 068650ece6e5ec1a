"""Experiments: questions asked of the machine, and the command line.

A script at the top asks one question; ``python -m experiments`` lists them. Nothing is
imported here, so that ``groqrack --help`` need not wait for NumPy: `run_scenario`,
`plan_scenario` and `sweep_scenarios` of `notebook` are loaded when they are asked for.

run: run_scenario, run_collective, Run
execution: models, workloads and collectives computed with real numbers
report, tables, plots, trace: summary, tables as data frames, pictures, traces
html_report: report_page, a run as one HTML file
sweep: run_sweep
cost: costs of loads, in money and energy
audit: claims of documents, and measurements of the model that bear on them
plan_report: explained, plan_front
validation: validation_rows
script: what scripts share
sabotage: valid programs, tampered with
drift, traffic: studies of clocks without deskews, and of traffic between all chips
notebook: run_scenario, plan_scenario, sweep_scenarios, ScenarioRun
cli: main
"""


def __getattr__(name: str) -> object:
    """Return one of the calls for a notebook, loaded when it is first asked for."""
    if name not in {"run_scenario", "plan_scenario", "sweep_scenarios"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    return getattr(import_module("experiments.notebook.scenario_calls"), name)

"""Notebook: the calls for a prompt or a notebook, with the words of the command line.

``from experiments import run_scenario, plan_scenario, sweep_scenarios`` finds them.

scenario_calls: run_scenario, plan_scenario, sweep_scenarios
scenario_run: ScenarioRun
"""

"""Command line: the commands of ``groqrack``; what is heavy is imported when needed.

app: main, and the commands simulate, plan and verify
collective, execute, execute_collective, plan, reference, sweep, workload: the others
options, scenario_options: options that commands share; ScenarioOptions
"""

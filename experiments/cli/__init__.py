"""Command line: the commands of ``groqrack``; what is heavy is imported when needed.

app: main, and the commands simulate, plan and verify
collective, compare, cost, experiment, plan, reference, report, sweep, workload: the
    others
execution, service: commands that execute with numbers; those about requests
options, scenario_options: options that commands share; ScenarioOptions
"""

"""Specifications: models, machines, scenarios, workloads and errors, as frozen values.

A field's name carries its unit. Files are TOML or a Hugging Face ``config.json``; every
number of a shipped machine names its source.

scenario: Scenario, load_scenario
machine: MachineSpec, load_machine
model: ModelSpec, load_model, model_names
workload: Workload, load_workload
errors: RackError and its kinds
units, arrays: units of time and size; types of arrays
"""

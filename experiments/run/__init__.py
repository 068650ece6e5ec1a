"""Runs: from a scenario to a result, through plan, schedule, proof and engine.

scenario: run_scenario, compile_programs, Run, Programs
scenario_inputs: scenario_of, machine_of, model_of, topology_of
preparation, workload: plan and schedule of a model, or of any graph of operators
collective: run_collective, CollectiveRun
prompt, context_buckets: the pass of a prompt, and decoding as the context grows
speculative_decoding: PlacedModel, Speculation, SpeculationStep, fastest,
    tokens_per_step, drawn_tokens
failover_planning: SpareNodes
plan_csv: read_plan
expert_choice: choice_weights, dropped_fraction; by a given distribution
performance_estimate: estimate_performance, PerformanceEstimate
energy: Energy, energy_of
version: VERSION
"""

"""Compiler: static schedule of a sharding plan, its proof, and the search for plans.

compile_decode, compile_prefill, compile_recompute, compile_graph, compile_collective,
    compile_copy: one front door each
verify, hazard_rules, dataflow_rules: Certificate, verify; they share no code with
    what makes schedules
ir: Schedule, Timeline, Transport; what a schedule is made of
cost: closed-form timing
passes: PlannedPass; what one pass through the stages of a plan consists of
routing, collectives, scheduling: the steps that make a schedule
prefill: the chunks of a prompt in the stages
energy: program_energy, idle_chip_w; what a program takes
bounds, search: lower bounds, and best_strategy
"""

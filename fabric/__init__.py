"""Simulated hardware: clocks that drift, links that jitter and fail, running programs.

Nothing here knows the workload: a `chip.program.Program` is all that arrives.

simulation: simulate, with SimPy processes, the reference
replay: replay, the same integers from NumPy arrays; it never loads SimPy
engine: engine_named, which loads the event loop only for the engine that has one
results: RunResult
clocks, links, faults: their models
runtime, statistics: what both engines share
simpy_engine, replay_engine: parts of one engine
functional_engine: execute, a program with real numbers
reactive: simulate_reactive, a baseline model with queues and back pressure
random_streams: Draws, one random stream for each component
"""

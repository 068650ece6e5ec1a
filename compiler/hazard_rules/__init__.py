"""Rules of a valid program, independent of what makes schedules.

Each check returns the number of cases it was applied to, or raises VerificationError
with the first counter-example.

structure: check_outage, check_ends, check_exclusive, check_operators, check_routes,
    by_start, cycles_per_vector, in_period, is_kind, violation
independence: first_dependent, independent, passes_of
pipeline: follows_in_pipeline
timing: check_receives, check_fifos, check_deskews
rates: check_rates
rounds: check_rounds, required_rounds, tiles_at_once, tiles_of, times_of,
    widened_weights
slices: check_kinds, check_amounts, last_cycle, phases
streams: check_lengths, check_streams
weight_buffers: check_buffers, check_loads
memory: check_text, check_operands, check_waiting, check_memory
"""

"""Rules of a valid program, independent of what makes schedules.

Each check returns the number of cases it was applied to, or raises VerificationError
with the first counter-example.

structure: check_outage, check_ends, check_exclusive, check_operators, check_routes,
    cycles_per_vector, in_period, violation
timing: check_receives, check_fifos, check_deskews
rates: check_rates
slices: check_kinds, check_amounts, busiest, last_cycle
streams: check_lengths, check_loads, check_buffers, check_streams
memory: check_text, check_operands, check_waiting, check_memory
"""

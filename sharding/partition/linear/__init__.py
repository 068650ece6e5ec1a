"""Linear attention on a tensor group: whole heads, and their states, on each chip.

projections: convolve, norm_units, decays
recurrence: update_states, gate_normed, linear_bytes
"""

"""Rules of linear attention: what heads make, its work, and states kept between tokens.

functions: LINEAR_RULES, linear_sizes
amounts: linear_elements, linear_needs
states: check_states, state_bytes
"""

"""Rules of a collective alone: its members end with what its definition gives them.

definition: start_and_end
proof: check_collective
work: check_sum_work, array_bytes
"""

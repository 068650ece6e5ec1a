"""Sabotage of valid programs, to see what the verifier refuses.

case: SabotageCase, Sabotage
kinds: KINDS, applies
schedules: schedules, quick_schedules, collectives, overlapped_decoder
judgement: judged, Judgement
first_token: first_token, first_iteration
program_edits, dataflow_edits, work_edits: changes that kinds are made of
timing_kinds, message_kinds, operation_kinds, order_kinds: kinds
lie_kinds: kinds
statement_kinds, resource_kinds: kinds
"""

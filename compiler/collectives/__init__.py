"""Collective algorithms and their selection, for tokens and for single collectives.

stages: Collective, Algorithm, CollectiveStage, stage, Adding, adding_up,
    bus_factor
arguments: checked_members, tensor_vectors
flat_algorithms: direct_stages, direct_messages, shares
hierarchical: hierarchical_forms
reduce_to_owners: ShareRouting, to_owners
multipath_send: spread_stage
candidates: Candidate, candidates
stage_scheduler: CollectiveTimeline, StageScheduler, deskews_of
deskew_interval: longest_interval_cycles, spanning_interval_cycles
grid_coordinates: grid_coordinates, line_numbers
exchange_phases: Phase, exchange_candidates, fewest_messages
exchange_selection: ExchangeSelector
"""

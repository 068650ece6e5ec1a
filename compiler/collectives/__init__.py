"""Collective algorithms and their selection, for tokens and for single collectives.

phases: Collective, Algorithm, Phase, phase, Candidate, Phases, Adding, adding_up,
    bus_factor
hierarchy: Hierarchy, Level, hierarchies
exchange_phases: exchange_candidates, fewest_messages
exchange_selection: ExchangeSelector, Selected, MOST_TRAINS, most_messages,
    token_exchanges
contents: PhaseDataflow, exchange_dataflow, member_hops
arguments: checked_members, tensor_vectors
flat_algorithms: one_shot, scattered, ring, shares
hierarchical: hierarchical_forms
reduce_to_owners: ShareRouting, to_owners
multipath_send: spread
candidates: candidates
deskew_interval: longest_interval_cycles, spanning_interval_cycles
"""

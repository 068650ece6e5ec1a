"""Collective algorithms and their selection, for tokens and for single collectives.

phases: Algorithm, Phase, Sums, phase, Candidate, Phases, Adding, adding_up,
    adding_cycles, bus_factor
pieces: Pieces, PiecesOf, NO_PART, ranges, each_message, kept, scaled, cut, Arrays,
    Members, arrays_of, ranges_of_members
hierarchy: Hierarchy, Level, hierarchies
exchange_sends: ExchangeSends, Sends, exchange_sends, payloads, MOST_MESSAGES
exchange_phases: exchange_candidates, exchange_form, fewest_messages, phases_of
exchange_selection: ExchangeSelector, Selected, MOST_TRAINS, most_messages, part_of,
    token_exchanges
contents: PhaseDataflow, exchange_dataflow, gathered_shards, member_hops
share_pieces: SharePieces, ExchangePieces, MOST_SHARES
collective_dataflow: CollectiveDataflow
arguments: checked_members, tensor_vectors
flat_algorithms: one_shot, scattered, ring, shares, slice_edges
hierarchical: hierarchical_forms
reduce_to_owners: ShareRouting, to_owners
multipath_send: spread
candidates: candidates
"""

"""Admissible lower bounds for the search: no schedule beats any of them.

block_bound: BlockBound, BlockBoundCache, has_messages, least_exchange_cycles
strategy_bound: SplitBound, split_bound, least_split_trains, model_blocks,
    transfer_bytes
placed_bound: PlacedSplitBound
exchange_bound: ExchangeBoundCache, ExchangeKey, exchange_key
routed_messages: RoutedMessages
routed_exchange: RoutedExchange
congestion_bound: CongestionBound, congestion_bound, least_link_timing
hop_count_bound: HopCountBound, hop_count_bound, least_replica_cycles
critical_path_bound: CriticalPathBound, least_latency_cycles
throughput_bound: most_sequences, share_cycles
"""

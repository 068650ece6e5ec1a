"""Latency, jitter and error models of links, computed as numbers without events.

burst_channel: BurstChannel
error_model: codeword_outcome, damage_odds, describe_error_model
fec: CodewordOdds, codeword_odds, codewords, train_odds
latency: Jitter, least_latency_ps
rare_events: Trials, hits, trials
"""

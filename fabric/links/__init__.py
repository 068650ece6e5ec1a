"""Latency, jitter, slack and error models of links, computed as numbers without events.

burst_channel: BurstChannel
error_model: codeword_outcome, uncorrectable_odds, describe_error_model
fec: CodewordOdds, codeword_odds, codewords, train_odds
jitter_law: JitterLaw
late_vectors: late_odds
latency: Jitter, least_latency_ps
rare_events: Trials, hits, trials
silent_errors: reach_share, silent_odds, single_bit_silent_odds
slack: UNLIMITED_PS, least_slack_ps, slack_growth_ps, tail_cycles
"""

"""Pairing: a machine and other devices that decode together, over a link.

lanes: Side, Leg, LaneRun, run_lanes; groups of users that take turns on both sides
feed_forward: FeedForward, compile_feed_forwards; what a machine has without attention
attention: attention_legs; activations cross twice for each layer and token
draft: draft_legs; one side drafts tokens, the other one verifies them
prefill: PairedPrompts, prefill; prompts on devices, KV caches cross the link
"""

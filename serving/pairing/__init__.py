"""Pairing: a machine and other devices that decode together, over a link.

lanes: Side, LINKS, Leg, LaneRun, run_lanes; groups of users that take turns
feed_forward: FeedForward, compile_feed_forwards; what a machine has without attention
attention: attention_legs, held_by_devices; activations cross twice for each layer
draft: draft_legs; one side drafts tokens, the other one verifies them
prefill: PairedPrompts, prefill; prompts on devices, KV caches cross the link
"""

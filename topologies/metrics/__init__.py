"""Figures of a topology: size, distances, bisection, and load under uniform traffic.

summary: TopologySummary, describe, fingerprint, hop_histogram
farthest_pair: farthest_pair
gateway_distance: gateway_histogram
link_load: UniformTraffic, minimal_loads, uniform_traffic
"""

"""Closed-form timing of links, clocks and operators; imports no other part of it.

link_timing: LinkTiming, link_timing, hop_cycles, serialisation_cycles, vector_rate,
    vectors_of
guard_band: Tolerance
drift_budget: DriftBudget, budget, largest_ppm, longest_interval_epochs,
    shallowest_fifo_vectors, with_settings, works
roofline: lower_bound_cycles, feed_cycles
graph_roofline: workload_bound, critical_path_bound
"""

"""Crystals of the chips and their aligned counters, computed as arrays.

aligned_crystals: make_crystals
crystal_array: CrystalArray
crystals: Clocks, Crystals, make_clocks
hac_tracking: Tracking, settled_errors
link_bring_up: HacExchanges, MeasuredLinks, bring_up, spacing_epochs
start_propagation: Start, StartPropagation, propagate_start
"""

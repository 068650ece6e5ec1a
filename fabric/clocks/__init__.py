"""Clocks of the chips: crystals that drift, and the counters that are aligned.

clock: Clock, Crystal, Stretch, edges_ps, quotients_ps, cycles_at
random_walk, random_walk_clock: RandomWalk, RandomWalkClock
hac: AlignedCounter, wrapped_difference, bring_up_settled, half_round_trip,
    rate_per_epoch, added_rates
alignment_epochs: LevelDelays, alignment_epochs, level_delays
aligned_crystals: make_crystals
crystal_array: CrystalArray
crystals: Clocks, Crystals, make_clocks
hac_tracking: Tracking, SettledCounters, settled_counters, settled_errors
link_bring_up: HacExchanges, MeasuredLinks, bring_up, spacing_epochs,
    steady_bring_up_epochs
start_propagation: Start, StartPropagation, propagate_start
"""

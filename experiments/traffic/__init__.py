"""Traffic between all chips: its static schedules, its latency and its bandwidth.

traffic_schedule: Network, network, exchange_cycles, foreseen_cycles
slot_timetable: Timetable, timetable, unforeseen_cycles
scheduled_and_reactive: TrafficCase, LatencySamples, exchange_samples,
    uniform_samples
uniform_traffic: TrafficRow, simulated_bandwidth, bandwidth_bound
"""

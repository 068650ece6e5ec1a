"""Computations that several experiments or published figures share.

clocks: how long schedules hold without deskews
decode_work: DecodeWork, decode_work
failover_costs: FaultCase, failover_costs, tokens_by_cause
gemm: product_run, utilisation
network_latency: smallest_all_reduce, worst_pair, one_vector, first_spread_bytes
other_simulators: astra_all_reduce_cycles, booksim_cycles, booksim_mean_cycles,
    booksim_law, path_topology
round_trips: LinkMeasurement, TABLE_2, half_round_trips
stage_cuts: StageCutProblem, min_max_cuts
traffic_schedule: Network, network, all_to_all, exchange_cycles, foreseen_cycles
slot_timetable: Timetable, timetable, unforeseen_cycles
scheduled_and_reactive: TrafficCase, LatencySamples, exchange_samples,
    uniform_samples
reactive_baseline: reactive_specs, reactive_latency_ns, unloaded_latency_ns
speculative_decoding: PlacedModel, Speculation, SpeculationStep, fastest,
    tokens_per_step, drawn_tokens
uniform_traffic: TrafficRow, simulated_bandwidth, bandwidth_bound
"""

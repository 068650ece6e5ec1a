"""Scheduling: from a plan to timelines, and from timelines to a program.

pass_scheduler: pass_timeline
schedule_builder: ScheduleBuilder
layer_cache: BlockCache, LayerCache
block_path: BlockPath, block_path
weight_prefetch: PrefetchedProduct, WeightLoad, WeightPrefetcher
deskew_interval: best_deskew_interval
collective_deskews: longest_interval_cycles, spanning_interval_cycles
deskew_insertion: place_deskews
initiation_interval: collision_cycles, interval_within_token, sends_on_ports,
    sequence_spacing, sequence_starts
data_parallel: earliest_start, merge_replicas, merge_timelines, replica_outage
software_pipelining: PipelinedToken, Reschedule, SoftwarePipeliner
program_assembly: assemble_program, no_deskew_gap
plan_scheduler: PlanScheduler, numbered_pass
collective_timeline: CollectiveTimeline, collective_program, collective_timeline,
    deskews_of
"""

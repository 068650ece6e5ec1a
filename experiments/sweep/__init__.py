"""Sweeps of scenarios: axes, grid, executors, and a ledger that survives interruption.

runner: run_sweep, results_csv, point_keys
grid: Sweep, SweepPoint, load_sweep, sweep_of, swept_number
axes: Axis, read_axes, axis_values, parameters, setting_names, check_names, MOST_POINTS
point: point_key, run_point, settled, flat_numbers, PointChangedError
executors: ExecutorFactory, executor_named, local_executor, without_interrupt
result_store: ResultStore, Outcome
shards: Shard, shard_named, merge_shards
point_failures: PointRules, NO_RULES, run_point_within, is_broken, PointLimitError,
    FirstFailureError
progress: SweepProgress, progress_line
"""

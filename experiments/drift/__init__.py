"""Drift: how long a schedule holds without deskews, and what crystal errors it bears.

free_running_clocks: FreeRunningClocks, free_run, without_deskews
drift_violations: ClockViolation, first_violation, simulated_violation,
    underflow_quantiles
crystal_error_limit: error_limits
"""

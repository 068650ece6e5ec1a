"""Results and records of a run: plain tables, logs and slack.

deskew_log: DeskewLog
iteration_log: Flight, FlightLog
result: ChipTable, Failover, IterationRow, LinkTable, Missing, Record, RunResult
slack: least_slack_ps, tail_cycles, tail_drift_ps
violation: Violation
"""

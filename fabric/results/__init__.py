"""Results and records of a run: plain tables and logs.

deskew_log: DeskewLog
iteration_log: Flight, FlightLog
result: FAILOVER_PARTS, ChipTable, Failover, IterationRow, LinkTable, Missing,
    Record, RunResult
violation: Violation
"""

"""Statistics of a run, and the checks of its times and FIFOs.

link_totals: LinkTotals
missing_tokens: missing_tokens
run_statistics: RunStatistics
timing_check: TimingCheck, TimingChecker
violations: Violations
"""

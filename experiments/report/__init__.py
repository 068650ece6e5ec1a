"""experiments.report.run_report."""

"""experiments.plan_report."""

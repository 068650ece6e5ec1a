"""experiments.run.scenario."""

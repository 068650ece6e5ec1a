"""experiments.harness."""

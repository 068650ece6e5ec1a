"""experiments.plots."""

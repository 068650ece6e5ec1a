"""experiments.sweep.runner."""

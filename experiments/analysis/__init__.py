"""experiments.analysis."""

"""experiments.trace.trace."""

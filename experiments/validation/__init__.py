"""experiments.validation.row."""

"""experiments.cli.app."""

"""experiments.tables.run_tables."""

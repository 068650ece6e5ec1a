"""topologies.metrics.summary."""

"""fabric.faults."""

"""fabric.simpy_engine."""

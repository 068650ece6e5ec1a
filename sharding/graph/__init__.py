"""sharding.graph."""

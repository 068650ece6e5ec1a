"""sharding.parallelism."""

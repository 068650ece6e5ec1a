"""sharding.transformer."""

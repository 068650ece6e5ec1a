"""sharding.placement.default_placement."""

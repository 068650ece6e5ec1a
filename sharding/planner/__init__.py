"""sharding.planner."""

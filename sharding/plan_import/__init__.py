"""sharding.plan_import."""

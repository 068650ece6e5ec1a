"""Who holds which slice of the model."""

from sharding.parallelism.strategy import Strategy, parse_strategy
from sharding.planner.coverage import check_coverage
from sharding.planner.plan import ShardingPlan, Stage, plan_sharding

__all__ = [
    "ShardingPlan",
    "Stage",
    "Strategy",
    "check_coverage",
    "parse_strategy",
    "plan_sharding",
]

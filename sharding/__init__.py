"""Who holds which slice of the model."""

from sharding.coverage import check_coverage
from sharding.plan import ShardingPlan, Stage, plan_sharding
from sharding.strategy import Strategy, parse_strategy

__all__ = [
    "ShardingPlan",
    "Stage",
    "Strategy",
    "check_coverage",
    "parse_strategy",
    "plan_sharding",
]

"""Plans of a tiny model, and the tables that describe them."""

from collections.abc import Callable

import numpy as np
import pytest

from sharding.parallelism.strategy import parse_strategy
from sharding.planner.plan import ShardingPlan, plan_sharding
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import ModelSpec

Planned = Callable[[str], ShardingPlan]


@pytest.fixture(scope="session")
def planned(tiny: ModelSpec) -> Planned:
    """Plan the tiny model as a strategy says, on chips 0, 1, 2 and so on."""

    def make(text: str) -> ShardingPlan:
        strategy = parse_strategy(text, 64)
        task = Task(tiny, load_machine(), 1, 16, 1).split_as(strategy)
        return plan_sharding(task, strategy, np.arange(strategy.chips))

    return make

"""A task whose shares can be counted in the head, and the rules that cut its blocks."""

from collections.abc import Callable

import pytest

from sharding.operators.operators import ShardedOperator
from sharding.partition.block_operators import Rule
from sharding.partition.block_partition import BlockPartition
from sharding.weights.blocks import Block
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import ModelSpec
from workloads.operators import Function

Cut = Callable[[Rule, Function, Task, Block], list[ShardedOperator]]


@pytest.fixture(scope="session")
def task(tiny: ModelSpec) -> Task:
    """Return three tokens of hidden size 8 on four chips: shards of two elements."""
    return Task(tiny, load_machine(), 4, 16, 3)


@pytest.fixture(scope="session")
def routed(task: Task) -> Task:
    """Return the same with two of four experts for each token."""
    sizes = {"family": "mixtral", "experts": 4, "experts_per_token": 2}
    return task._replace(model=task.model.model_copy(update=sizes))


@pytest.fixture(scope="session")
def cut() -> Cut:
    """Apply a rule alone to a block's first operator with a function."""

    def apply(
        rule: Rule, function: Function, task: Task, block: Block
    ) -> list[ShardedOperator]:
        part = BlockPartition(task, block)
        operator = part.find(function)
        assert operator is not None
        return rule(part, operator)

    return apply

"""A task whose shares can be counted in the head, for the operators of its blocks."""

import pytest

from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import ModelSpec


@pytest.fixture(scope="session")
def task(tiny: ModelSpec) -> Task:
    """Return three tokens of hidden size 8 on four chips: shards of two elements."""
    return Task(tiny, load_machine(), 4, 16, 3)

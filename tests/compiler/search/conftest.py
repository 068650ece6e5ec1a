"""A small model on eight chips, compiled once for the tests of a neighbourhood."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from compiler.compile_decode import compile_token
from compiler.ir.schedule import Schedule
from sharding.parallelism.strategy import Strategy
from sharding.planner.plan import plan_sharding
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import ModelSpec
from topologies.selection import select_topology

SMALL = ModelSpec(
    name="small",
    family="llama",
    hidden_size=256,
    intermediate_size=512,
    layers=4,
    attention_heads=4,
    kv_heads=2,
    head_dim=64,
    vocabulary_size=512,
    tied_embeddings=False,
    experts=1,
    experts_per_token=1,
    max_context_tokens=128,
)


@pytest.fixture(scope="session")
def small_task() -> Task:
    """Return a small model on machines of which a chip holds a third of it."""
    machine = load_machine().with_settings(
        {"chip.sram_bytes": 3_000_000, "chip.program_reserve_bytes": 2_000_000}
    )
    return Task(SMALL, machine, 1, 64, 1)


@cache
def _small_schedule(strategy: Strategy, sequences: int) -> Schedule:
    topology = select_topology(8)
    chips = topology.active.astype(np.int64)
    task = Task(SMALL, load_machine(), 1, 64, 1).split_as(strategy)
    plan = plan_sharding(task, strategy, chips, sequences=sequences)
    return compile_token(plan, topology)


@pytest.fixture(scope="session")
def small_schedule() -> Callable[[Strategy], Schedule]:
    """Compile a small model on eight chips, with two sequences in flight."""
    return lambda strategy: _small_schedule(strategy, 2)


@pytest.fixture(scope="session")
def schedule() -> Schedule:
    """Return a small model in three stages, one of them slower than the others."""
    return _small_schedule(Strategy(tensor=2, pipeline=3), 2)

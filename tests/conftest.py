"""Property tests that repeat themselves, and small machines compiled once."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from hypothesis import settings

from compiler.schedule import Schedule
from compiler.token import compile_token
from sharding.plan import plan_sharding
from sharding.strategy import Strategy
from sharding.task import Task
from specs.machine import load_machine
from specs.model import ModelSpec
from topologies.selection import select_topology

settings.register_profile(
    "default", derandomize=True, deadline=None, max_examples=50, print_blob=True
)
settings.load_profile("default")

TINY = ModelSpec(
    name="tiny",
    family="llama",
    hidden_size=64,
    intermediate_size=128,
    layers=2,
    attention_heads=4,
    kv_heads=2,
    head_dim=16,
    vocabulary_size=256,
    tied_embeddings=False,
    experts=1,
    experts_per_token=1,
    max_context_tokens=128,
)
Settings = tuple[tuple[str, object], ...]
Compile = Callable[..., Schedule]


@cache
def _compiled(
    tensor: int, pipeline: int, sequences: int, topology: str, settings: Settings
) -> Schedule:
    machine = load_machine().with_settings(dict(settings))
    wiring = select_topology(tensor * pipeline, topology)
    plan = plan_sharding(
        Task(TINY, machine, tensor, 16, 1),
        Strategy(tensor=tensor, pipeline=pipeline),
        wiring.active.astype(np.int64),
        sequences=sequences,
    )
    return compile_token(plan, wiring)


@pytest.fixture(scope="session")
def compiled() -> Compile:
    """Compile a tiny model: tensor width, stages, sequences in flight, settings."""

    def make(
        tensor: int,
        pipeline: int,
        *,
        sequences: int = 1,
        topology: str = "auto",
        **settings: object,
    ) -> Schedule:
        # Written link__ber here, link.ber there.
        dotted = {key.replace("__", "."): value for key, value in settings.items()}
        return _compiled(tensor, pipeline, sequences, topology, tuple(dotted.items()))

    return make

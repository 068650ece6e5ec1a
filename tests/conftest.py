"""Property tests that repeat themselves, and small machines compiled once."""

import gc
from collections.abc import Callable
from functools import cache
from itertools import combinations

import numpy as np
import pytest
from hypothesis import settings

from compiler.compile_decode import compile_token
from compiler.ir.schedule import Schedule
from experiments.run.failover_planning import SpareNodes
from experiments.run.preparation import Prepared
from sharding.parallelism.strategy import Strategy
from sharding.parallelism.tensor_group import FeedForwardLayout
from sharding.planner.plan import plan_sharding
from sharding.weights.task import Task
from specs.latent_attention import LatentAttention
from specs.linear_attention import LinearAttention
from specs.machine import load_machine
from specs.model import ModelSpec
from specs.scenario import Scenario
from topologies.selection import select_topology
from topologies.topology import Level, Topology

settings.register_profile(
    "default", derandomize=True, deadline=None, max_examples=50, print_blob=True
)
settings.load_profile("default")
# As the command does, which spares a tenth of the time.
gc.set_threshold(200_000, 30, 30)


def pytest_collection_finish() -> None:
    """Leave modules and tests out of Python's search for cycles of garbage.

    They stay to the end. Going through them again and again takes one part in twenty
    of the time.
    """
    gc.collect()
    gc.freeze()


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
# Latent attention of four heads; nothing divides anything.
LATENT = TINY.model_copy(
    update={
        "name": "latent",
        "family": "deepseek_v3",
        "kv_heads": 4,
        "head_dim": 10,
        "latent": LatentAttention(
            query_rank=11, kv_rank=10, rotary_dim=4, plain_dim=6, value_dim=5
        ),
    }
)
# Linear attention of four key heads and eight value heads, then full attention.
LINEAR = TINY.model_copy(
    update={
        "name": "linear",
        "family": "qwen3_5_text",
        "layers": 2,
        "linear": LinearAttention(
            key_heads=4, value_heads=8, key_dim=6, value_dim=5, kernel=3
        ),
        "linear_layers": (0,),
    }
)
Settings = tuple[tuple[str, object], ...]
Compile = Callable[..., Schedule]
Spared = Callable[..., tuple[Schedule, SpareNodes]]


def _compiled(
    strategy: Strategy, sequences: int, topology: str, settings: Settings
) -> Schedule:
    machine = load_machine().with_settings(dict(settings))
    wiring = select_topology(strategy.chips, topology)
    plan = plan_sharding(
        Task(TINY, machine, 1, 16, 1).split_as(strategy),
        strategy,
        wiring.active.astype(np.int64),
        sequences=sequences,
    )
    return compile_token(plan, wiring)


_kept = cache(_compiled)


@pytest.fixture(scope="session")
def compiled() -> Compile:
    """Compile a tiny model: tensor width, stages, replicas, sequences, settings.

    What has been compiled is kept, unless ``keep`` is false.
    """

    def make(
        tensor: int,
        pipeline: int,
        *,
        data: int = 1,
        attention: int = 0,
        layout: FeedForwardLayout = FeedForwardLayout.ONE_D,
        sequences: int = 1,
        topology: str = "auto",
        keep: bool = True,
        **settings: object,
    ) -> Schedule:
        # Written link__ber here, link.ber there.
        dotted = {key.replace("__", "."): value for key, value in settings.items()}
        build = _kept if keep else _compiled
        strategy = Strategy(
            tensor=tensor,
            pipeline=pipeline,
            data=data,
            attention=attention,
            layout=layout,
        )
        return build(strategy, sequences, topology, tuple(dotted.items()))

    return make


@cache
def small_racks(spare_nodes: int, *, through_spares: bool = False) -> Topology:
    """Two racks of two nodes of two chips, beside spare nodes, with all link classes.

    Nodes of a rack are joined by their first chips, racks by the second chips of nodes
    of one place, of all nodes or of the spare ones only.
    """
    nodes = 2 + spare_nodes
    chips = 4 * nodes
    chip = np.arange(chips, dtype=np.int32)
    ends, levels = [], []
    for node in range(2 * nodes):
        ends.append((2 * node, 2 * node + 1))
        levels.append(Level.LOCAL)
    for rack in (0, 1):
        for a, b in combinations(range(rack * nodes, (rack + 1) * nodes), 2):
            ends.append((2 * a, 2 * b))
            levels.append(Level.RACK)
    for node in range(2 if through_spares else 0, nodes):
        ends.append((2 * node + 1, 2 * (node + nodes) + 1))
        levels.append(Level.GLOBAL)
    links = np.array([end for a, b in ends for end in ((a, b), (b, a))])
    ports = [links[:row, 0].tolist().count(end) for row, (end, _) in enumerate(links)]
    across = [row ^ 1 for row in range(len(links))]
    node_of, slot = np.divmod(chip, np.int32(2))
    return Topology(
        name="small",
        chips=chips,
        active=chip[node_of % nodes < 2],
        source=links[:, 0],
        target=links[:, 1],
        source_port=np.array(ports),
        target_port=np.array(ports)[across],
        level=np.repeat([int(level) for level in levels], 2),
        length_m=np.repeat([{0: 0.75, 1: 2.0, 2: 5.0}[int(k)] for k in levels], 2),
        rack=node_of // np.int32(nodes),
        node=node_of,
        slot=slot,
        representatives=None,
    )


@cache
def _spared(
    strategy: Strategy, sequences: int, wiring: Topology, settings: Settings
) -> tuple[Schedule, SpareNodes]:
    machine = load_machine().with_settings(dict(settings))
    plan = plan_sharding(
        Task(TINY, machine, strategy.tensor, 16, 1),
        strategy,
        wiring.active.astype(np.int64),
        sequences=sequences,
    )
    prepared = Prepared(
        scenario=Scenario(), model=TINY, machine=machine, topology=wiring, plan=plan
    )
    return compile_token(plan, wiring), SpareNodes(prepared)


@pytest.fixture(scope="session")
def spared() -> Spared:
    """Compile a tiny model for two small racks; return its planner of moves too."""

    def make(
        tensor: int = 2,
        pipeline: int = 3,
        *,
        sequences: int = 1,
        spare_nodes: int = 1,
        through_spares: bool = False,
        **settings: object,
    ) -> tuple[Schedule, SpareNodes]:
        dotted = {key.replace("__", "."): value for key, value in settings.items()}
        return _spared(
            Strategy(tensor=tensor, pipeline=pipeline),
            sequences,
            small_racks(spare_nodes, through_spares=through_spares),
            tuple(dotted.items()),
        )

    return make


@pytest.fixture(scope="session")
def latent_model() -> Callable[..., ModelSpec]:
    """Return a model of latent attention; sizes of the latents can be changed."""

    def make(**changes: object) -> ModelSpec:
        assert LATENT.latent is not None
        latent = LATENT.latent.model_copy(update=changes)
        return LATENT.model_copy(update={"latent": latent})

    return make


@pytest.fixture(scope="session")
def linear_model() -> ModelSpec:
    """Return a model whose first layer has linear attention, and its second full."""
    return LINEAR

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.compile_decode import compile_token
from compiler.compile_graph import compile_workload
from compiler.verify import verify
from sharding.graph.transformer_graph import workload_of
from sharding.graph.workload_cost import workload_work
from sharding.graph.workload_plan import plan_workload
from sharding.parallelism.grid import Grid
from sharding.parallelism.strategy import Strategy
from sharding.planner.coverage import check_coverage
from sharding.planner.plan import plan_sharding
from sharding.weights.task import Task
from specs.families import FAMILIES
from specs.graph import Role
from specs.machine import load_machine
from specs.model import ModelSpec, load_model, model_names
from specs.workload import Workload
from topologies.selection import select_topology

MACHINE = load_machine()
NODE = select_topology(1)
CHIPS = NODE.active.astype(np.int64)


def weights(workload: Workload) -> int:
    return sum(
        tensor.elements for tensor in workload.tensors if tensor.role is Role.WEIGHTS
    )


def states(workload: Workload) -> int:
    return sum(
        tensor.elements for tensor in workload.tensors if tensor.role is Role.STATE
    )


def macs(model: ModelSpec, context: int, batch: int) -> int:
    """Return the multiply-accumulates of all products, in closed form."""
    tokens = batch * (context if model.structure.encoder else 1)
    one = (model.projections_in + 1) * model.hidden_size * model.intermediate_size
    router = model.hidden_size * model.experts if model.experts > 1 else 0
    layer = model.attention_parameters + model.experts_per_token * one + router
    attended = sum(model.attended_tokens(n, context) for n in range(model.layers))
    attention = 2 * model.query_size * attended
    answers = batch if model.structure.encoder else tokens
    head = model.head_rows * model.hidden_size
    return tokens * (model.layers * layer + attention) + answers * head


def small(family: str, **sizes: int | bool) -> ModelSpec:
    structure = FAMILIES[family]
    plain: dict[str, int | bool] = {
        "hidden_size": 320,
        "intermediate_size": 640,
        "layers": 2,
        "attention_heads": 4,
        "kv_heads": 4,
        "head_dim": 80,
        "vocabulary_size": 1000,
        "tied_embeddings": structure.tied_embeddings,
        "experts": 1,
        "experts_per_token": 1,
        "max_context_tokens": 4096,
        "qkv_biases": structure.biased or structure.qkv_biased,
        "output_biases": structure.biased,
        "feed_forward_biases": structure.biased,
        "position_rows": 4096 * structure.learned_positions,
    }
    return ModelSpec.model_validate(plain | sizes | {"name": "a", "family": family})


@pytest.mark.parametrize("name", model_names())
@given(context=st.integers(1, 512), batch=st.integers(1, 4))
def test_a_graph_has_the_parameters_and_the_products_of_its_model(
    name: str, context: int, batch: int
) -> None:
    model = load_model(name).with_settings({"layers": 2})
    graph = workload_of(model, MACHINE.formats, context=context, batch=batch)
    # A tied head is a second copy of the embedding.
    copy = model.tied_embeddings * model.vocabulary_size * model.hidden_size
    copy *= not model.structure.encoder
    assert weights(graph) == model.parameters + copy
    work = workload_work(graph, MACHINE.formats)
    assert work.macs == macs(model, context, batch)


@pytest.mark.parametrize("name", ["llama-2-70b", "gemma-2-9b", "mixtral-8x7b"])
def test_a_graph_has_the_states_of_its_model_in_their_format(name: str) -> None:
    model = load_model(name)
    graph = workload_of(model, MACHINE.formats, context=4096, batch=3)
    attended = sum(model.attended_tokens(n, 4096) for n in range(model.layers))
    assert states(graph) == 3 * 2 * model.kv_size * attended
    formats = {tensor.format for tensor in graph.tensors if tensor.role is Role.STATE}
    assert formats == {MACHINE.formats.kv_cache}


def latencies(model: ModelSpec, context: int) -> tuple[int, int]:
    """Return the cycles of a token as a workload, and as a model, on one chip."""
    graph = workload_of(model, MACHINE.formats, context=context)
    plan = plan_workload(graph, MACHINE, Grid(column=1, row=1), CHIPS)
    token = plan_sharding(
        Task(model, MACHINE, 1, context, 1), Strategy(tensor=1, pipeline=1), CHIPS
    )
    # The weights in one tensor or in several.
    assert plan.weight_bytes == token.weight_bytes
    return (
        compile_workload(plan, NODE).latency_cycles,
        compile_token(token, NODE).latency_cycles,
    )


@pytest.mark.parametrize("family", sorted(set(FAMILIES) - {"bert", "roberta"}))
@pytest.mark.parametrize("context", [64, 256, 4096])
def test_a_token_takes_the_same_cycles_either_way(family: str, context: int) -> None:
    as_workload, as_model = latencies(small(family), context)
    assert as_workload == as_model


def test_gpt2_takes_the_same_cycles_either_way() -> None:
    as_workload, as_model = latencies(load_model("gpt2"), 1024)
    assert as_workload == as_model


def test_a_cache_that_fits_the_buffers_has_its_newest_position_loaded_too() -> None:
    as_workload, as_model = latencies(
        load_model("gpt2").with_settings({"layers": 2}), 64
    )
    # A cycle less for scores and values of two layers: to a graph, the cache is there.
    assert as_workload == as_model - 2 * 2


def test_queries_that_share_a_head_have_their_rows_to_multiply() -> None:
    as_workload, as_model = latencies(small("llama", kv_heads=1), 4096)
    # Scores and values of two layers, each three rows more than the first.
    assert as_workload == as_model + 2 * 2 * 3


@pytest.mark.parametrize("family", ["gpt2", "mixtral", "qwen3", "bert"])
@pytest.mark.parametrize(
    "grid", [Grid(column=4, row=2), Grid(column=1, row=7)], ids=str
)
def test_a_graph_of_a_model_is_proven_over_many_chips(family: str, grid: Grid) -> None:
    model = small(family, experts=4 if family == "mixtral" else 1)
    graph = workload_of(model, MACHINE.formats, context=64, batch=2)
    wiring = select_topology(8)
    plan = plan_workload(graph, MACHINE, grid, wiring.active.astype(np.int64))
    check_coverage(plan.slices)
    held = plan.slices.groupby("chip")["bytes"].sum()
    assert held.tolist() == plan.group.memory.weights.tolist()
    schedule = compile_workload(plan, wiring)
    verify(schedule.program, wiring, MACHINE)
    assert schedule.lower_bound_cycles <= schedule.latency_cycles


def test_an_encoder_takes_longer_as_tiles_that_are_not_full() -> None:
    as_workload, as_model = latencies(small("bert", token_types=2), 512)
    assert as_model < as_workload < 2 * as_model

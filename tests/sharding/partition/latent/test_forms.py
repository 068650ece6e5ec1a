from collections.abc import Callable

import numpy as np
import pytest

from chip.dataflow import Function
from sharding.operators.operators import Compute
from sharding.partition.block_operators import block_operators
from sharding.partition.latent.forms import (
    attend_latents,
    latent_bytes,
    latent_forms,
    score_latents,
)
from sharding.planner.memory import activation_bytes, kv_cache_bytes
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task
from specs.latent_attention import LatentAttention
from specs.machine import load_machine
from specs.model import ModelSpec, load_model
from workloads.operators import Function as GraphFunction

ATTENTION = Block(BlockKind.ATTENTION, 0, 0, 1, 1)
# Those of DeepSeek-V3.
LATENT = LatentAttention(
    query_rank=1536, kv_rank=512, rotary_dim=64, plain_dim=128, value_dim=128
)
Latent = Callable[..., ModelSpec]


def published(context: int, query_tokens: int = 1) -> Task:
    model = load_model("llama-2-7b").model_copy(
        update={
            "hidden_size": 7168,
            "attention_heads": 128,
            "kv_heads": 128,
            "head_dim": 192,
            "latent": LATENT,
        }
    )
    machine = load_machine()
    return Task(model, machine, 64, context, 1, query_tokens=query_tokens)


def functions(task: Task) -> list[Function]:
    return [
        each.function
        for operator in block_operators(task, ATTENTION)
        if isinstance(operator, Compute)
        for each in operator.operations()
    ]


def test_a_token_attends_to_latents_and_a_long_chunk_to_what_is_made_of_them() -> None:
    assert latent_forms(published(4096), ATTENTION).is_absorbed
    chunk = latent_forms(published(4096, 1024), ATTENTION)
    assert chunk.expanded_cycles < chunk.absorbed_cycles


@pytest.mark.parametrize("queries", [1, 1024])
def test_the_form_of_fewer_cycles_is_computed(queries: int) -> None:
    task = published(4096, queries)
    forms = latent_forms(task, ATTENTION)
    products = ("absorb", "expand", "scores", "values", "expand_values")
    cycles = sum(
        int(each.cycles.max())
        for each in block_operators(task, ATTENTION)
        if isinstance(each, Compute) and each.name in products
    )
    assert cycles == min(forms)
    made = (Function.ABSORB, Function.EXPAND_VALUES)
    for function in made if forms.is_absorbed else (Function.EXPAND,):
        assert functions(task).count(function) == 1


def test_layers_and_equal_tasks_share_their_forms(latent_model: Latent) -> None:
    task = Task(latent_model(), load_machine(), 4, 16, 1)
    other = ATTENTION._replace(layer=1)
    assert latent_forms(task, ATTENTION) is latent_forms(task, other)


def test_scores_and_values_are_of_the_same_form(
    cut: Callable[..., list[Compute]], latent_model: Latent
) -> None:
    for context, names in (
        (16, ["expand", "scores", "values"]),
        (700, ["absorb", "scores", "values", "expand_values"]),
    ):
        task = Task(latent_model(), load_machine(), 2, context, 1)
        both = [
            *cut(score_latents, GraphFunction.SCORES, task, ATTENTION),
            *cut(attend_latents, GraphFunction.VALUES, task, ATTENTION),
        ]
        assert [each.name for each in both] == names


def test_the_cache_has_a_latent_of_each_position_on_every_chip_with_heads() -> None:
    task = published(4096)
    stored = task.machine.formats.kv_cache.bits // 8
    assert (
        kv_cache_bytes(task, ATTENTION, 2).tolist()
        == [2 * 4096 * (512 + 64) * stored] * 64
    )
    idle = kv_cache_bytes(task._replace(attention=32), ATTENTION, 1)
    assert np.count_nonzero(idle) == 32


def test_memory_holds_queries_and_what_the_form_makes() -> None:
    short, long = published(4096), published(4096, 1024)
    wide = short.activation_format.bits // 8
    # Two heads: a query each, and what it absorbs.
    assert latent_bytes(short, ATTENTION)[0] == wide * 2 * (192 + 576)
    # Queries of a chunk, and keys and values of all positions.
    made = 1024 * 192 + 4096 * 256
    assert latent_bytes(long, ATTENTION)[0] == wide * 2 * made
    alive = activation_bytes(long, (ATTENTION,))
    assert (alive > latent_bytes(long, ATTENTION)).all()

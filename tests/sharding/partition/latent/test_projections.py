from collections.abc import Callable

import pytest

from sharding.operators.operators import Compute, Exchange, Pattern, ShardedOperator
from sharding.partition.block_operators import block_operators
from sharding.partition.latent.projections import (
    multiply_latents,
    norm_latents,
    place_latents,
)
from sharding.partition.stage_boundary import mirrored_operands
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import ModelSpec
from workloads.operators import Function

ATTENTION = Block(BlockKind.ATTENTION, 0, 0, 1, 1)
Latent = Callable[..., ModelSpec]
Cut = Callable[..., list[ShardedOperator]]


def task_of(model: ModelSpec, tensor: int = 2, attention: int = 0) -> Task:
    return Task(model, load_machine(), tensor, 16, 3, attention=attention)


def elements(operator: ShardedOperator) -> list[int]:
    assert isinstance(operator, Compute)
    return [getattr(work, "elements", 0) for work in operator.works]


def test_slices_of_the_latents_are_gathered_once(
    cut: Cut, latent_model: Latent
) -> None:
    task = task_of(latent_model())
    product, share = cut(multiply_latents, Function.PRODUCT, task, ATTENTION)
    assert product.name == "latents"
    assert isinstance(share, Exchange)
    assert share.pattern is Pattern.GATHER
    # 5 + 7 and 6 + 7 rows of both latents, of three tokens in FP16.
    assert share.shard_bytes.tolist() == [3 * 12 * 2, 3 * 13 * 2]
    assert share.teams.tolist() == [0, 0]
    (query, latent) = share.carries()
    assert query.last.tolist() == [5, 11]
    assert latent.last.tolist() == [7, 14]


@pytest.mark.parametrize(("tensor", "attention"), [(1, 0), (4, 1)])
def test_one_chip_with_all_heads_has_nothing_to_gather(
    tensor: int, attention: int, cut: Cut, latent_model: Latent
) -> None:
    task = task_of(latent_model(), tensor, attention)
    (product,) = cut(multiply_latents, Function.PRODUCT, task, ATTENTION)
    assert isinstance(product, Compute)


def test_chips_without_heads_take_no_part(cut: Cut, latent_model: Latent) -> None:
    task = task_of(latent_model(), 4, 2)
    _, share = cut(multiply_latents, Function.PRODUCT, task, ATTENTION)
    assert isinstance(share, Exchange)
    assert share.shard_bytes.tolist()[2:] == [0, 0]
    assert share.teams.tolist() == [0, 0, 3, 4]


def test_each_chip_norms_whole_latents_and_rotates_its_heads_and_the_key(
    cut: Cut, latent_model: Latent
) -> None:
    task = task_of(latent_model())
    (norm,) = cut(norm_latents, Function.LATENT_NORM, task, ATTENTION)
    assert elements(norm) == [3 * (11 + 10)] * 2
    (rotation,) = cut(place_latents, Function.POSITION, task, ATTENTION)
    # Two heads and the key, of four rotated columns.
    assert elements(rotation) == [3 * (2 + 1) * 4] * 2


def test_a_block_goes_from_latents_to_queries_and_back(latent_model: Latent) -> None:
    names = [each.name for each in block_operators(task_of(latent_model()), ATTENTION)]
    assert names == [
        *("norm", "gather", "scale", "latents", "share_latents", "latent_norm"),
        *("query_up", "rotary", "expand", "scores", "softmax", "values"),
        *("output", "scatter", "reduce"),
    ]


def test_a_mirror_gets_each_latent_once(latent_model: Latent) -> None:
    (latent,) = mirrored_operands(task_of(latent_model()), [ATTENTION])
    assert latent.value == "layers.0.attention.latent"
    assert latent.last.tolist() == [14, 14]

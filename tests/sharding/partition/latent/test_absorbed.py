"""The absorbed form: 3 heads on four chips of which one has none, 16 positions."""

from collections.abc import Callable

import numpy as np
import pytest

from chip.operator_work import ProductWork, Shape
from sharding.operators.operators import Compute
from sharding.partition.latent.absorbed import absorbed_scores, absorbed_values
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import ModelSpec
from workloads.operators import Function

ATTENTION = Block(BlockKind.ATTENTION, 0, 0, 1, 1)
Latent = Callable[..., ModelSpec]
Cut = Callable[..., list[Compute]]


@pytest.fixture
def task(latent_model: Latent) -> Task:
    # Chips have 1, 1 and 2 of 4 heads.
    return Task(latent_model(), load_machine(), 3, 16, 2, query_tokens=3)


def works(products: list[Compute]) -> list[ProductWork]:
    made = [each.works[-1] for each in products]
    assert all(isinstance(each, ProductWork) for each in made)
    return [each for each in made if isinstance(each, ProductWork)]


def test_queries_take_the_weights_of_keys_and_score_shared_latents(
    cut: Cut, task: Task
) -> None:
    absorb, scores = works(cut(absorbed_scores, Function.SCORES, task, ATTENTION))
    # 6 plain elements of a query become 10; rows are 3 positions of 2 sequences.
    assert absorb.shape == Shape((6,), (10,), 2)
    assert absorb.rows == 6
    # The cache of a sequence is one matrix, for both heads at 3 positions.
    assert scores.shape == Shape((14,), (16,), 2)
    assert scores.rows == 2 * 3


def test_mixed_latents_take_the_weights_of_values(cut: Cut, task: Task) -> None:
    values, expand = works(cut(absorbed_values, Function.VALUES, task, ATTENTION))
    assert values.shape == Shape((16,), (10,), 2)
    assert values.rows == 2 * 3
    assert expand.shape == Shape((10,), (5,), 2)


def test_a_chip_with_fewer_heads_multiplies_fewer_rows(cut: Cut, task: Task) -> None:
    (_, scores) = cut(absorbed_scores, Function.SCORES, task, ATTENTION)
    assert [each.rows for each in scores.works if isinstance(each, ProductWork)] == [
        3,
        3,
        6,
    ]


def test_chips_without_heads_do_nothing(cut: Cut, task: Task) -> None:
    idle = task._replace(tensor=4, attention=2)
    for rule, function in (
        (absorbed_scores, Function.SCORES),
        (absorbed_values, Function.VALUES),
    ):
        for product in cut(rule, function, idle, ATTENTION):
            assert np.flatnonzero(product.cycles).tolist() == [0, 1]


def test_latents_without_the_newest_positions_are_loaded_ahead(
    cut: Cut, task: Task
) -> None:
    long = task._replace(context=320 + 2, batch=1)
    for rounds, context in ((1, 320 + 3), (0, 320 + 2)):
        found = long._replace(context=context)
        products = cut(absorbed_scores, Function.SCORES, found, ATTENTION)
        known = works(products)[1].ready_rounds
        # One tile of 320 positions is full; a round has two tiles of 16 bits.
        assert known == rounds // 2

"""The expanded form: 4 heads on three chips, 16 positions of 2 sequences."""

from collections.abc import Callable

import pytest

from chip.operator_work import ProductWork, Shape
from sharding.operators.operators import Compute
from sharding.partition.latent.expanded import expanded_scores, expanded_values
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import ModelSpec
from workloads.operators import Function

ATTENTION = Block(BlockKind.ATTENTION, 0, 0, 1, 1)
Cut = Callable[..., list[Compute]]


@pytest.fixture
def task(latent_model: Callable[..., ModelSpec]) -> Task:
    return Task(latent_model(), load_machine(), 3, 16, 2, query_tokens=3)


def of_last_chip(products: list[Compute]) -> list[ProductWork]:
    """Return the work of the chip with two heads."""
    return [w for each in products if isinstance(w := each.works[-1], ProductWork)]


def test_keys_and_values_of_all_positions_are_made_in_one_product(
    cut: Cut, task: Task
) -> None:
    expand, scores = of_last_chip(
        cut(expanded_scores, Function.SCORES, task, ATTENTION)
    )
    # 6 columns of a key and 5 of a value, of each of two heads.
    assert expand.shape == Shape((10,), (2 * 11,))
    assert expand.rows == 2 * 16
    # Each head has keys of its own, of 6 columns with 4 of the one that is rotated.
    assert scores.shape == Shape((10,), (16,), 2 * 2)
    assert scores.rows == 3
    # What is made now cannot be loaded ahead.
    assert scores.ready_rounds == 0


def test_values_that_were_made_are_mixed(cut: Cut, task: Task) -> None:
    (values,) = of_last_chip(cut(expanded_values, Function.VALUES, task, ATTENTION))
    assert values.shape == Shape((16,), (5,), 2 * 2)
    assert values.rows == 3
    assert values.ready_rounds == 0

"""The delta rule and the norm behind it on two chips, with two of four key heads."""

from collections.abc import Callable

import numpy as np

from chip.operator_work import VectorWork
from sharding.operators.operators import Compute, ShardedOperator
from sharding.partition.attention_cuts import LinearCuts
from sharding.partition.block_partition import BlockPartition
from sharding.partition.linear.recurrence import (
    gate_normed,
    linear_bytes,
    update_states,
)
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import ModelSpec
from workloads.operators import Function

LINEAR = Block(BlockKind.ATTENTION, 0, 0, 1, 1)
Cut = Callable[..., list[ShardedOperator]]


def task_of(
    model: ModelSpec, query_tokens: int = 1, *, tensor: int = 2, attention: int = 0
) -> Task:
    task = Task(model, load_machine(), tensor, 16, 3, attention=attention)
    return task._replace(query_tokens=query_tokens)


def work(operators: list[ShardedOperator]) -> VectorWork:
    (operator,) = operators
    assert isinstance(operator, Compute)
    found = operator.works[0]
    assert isinstance(found, VectorWork)
    return found


def test_a_token_passes_each_state_twice(cut: Cut, linear_model: ModelSpec) -> None:
    found = work(cut(update_states, Function.DELTA_RULE, task_of(linear_model), LINEAR))
    # Four value heads of 6 x 5, of three sequences.
    assert (found.elements, found.passes) == (3 * 4 * 30, 2)
    assert found.element_bits == 32


def test_tokens_of_a_chunk_follow_each_other(cut: Cut, linear_model: ModelSpec) -> None:
    task = task_of(linear_model, 5)
    found = work(cut(update_states, Function.DELTA_RULE, task, LINEAR))
    assert (found.elements, found.passes) == (3 * 4 * 30, 2 * 5)


def test_a_norm_takes_the_values_of_all_tokens(
    cut: Cut, linear_model: ModelSpec
) -> None:
    task = task_of(linear_model, 5)
    found = work(cut(gate_normed, Function.GATED_NORM, task, LINEAR))
    assert (found.elements, found.passes) == (3 * 5 * 20, 2)


def test_chips_with_heads_keep_queries_keys_values_and_gates(
    linear_model: ModelSpec,
) -> None:
    task = task_of(linear_model, tensor=4, attention=2)
    cuts = LinearCuts(BlockPartition(task, LINEAR))
    assert cuts.attends.tolist() == [1, 1, 0, 0]
    assert cuts.value_heads.end.tolist() == [4, 8, 0, 0]
    # 4 times 12 and 3 times 20 in FP16, of three sequences.
    each = 3 * 2 * (4 * 12 + 3 * 20)
    assert np.array_equal(linear_bytes(task, LINEAR), [each, each, 0, 0])

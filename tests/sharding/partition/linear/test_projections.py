"""What each of two chips does before the delta rule: two of four key heads each."""

from collections.abc import Callable

from chip.operator_work import VectorWork
from sharding.operators.operators import Compute, ShardedOperator
from sharding.partition.block_operators import block_operators
from sharding.partition.linear.projections import convolve, decays, norm_units
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import ModelSpec
from workloads.operators import Function

LINEAR = Block(BlockKind.ATTENTION, 0, 0, 1, 1)
Cut = Callable[..., list[ShardedOperator]]


def task_of(model: ModelSpec, tensor: int = 2, attention: int = 0) -> Task:
    return Task(model, load_machine(), tensor, 16, 3, attention=attention)


def work(operators: list[ShardedOperator]) -> VectorWork:
    (operator,) = operators
    assert isinstance(operator, Compute)
    found = operator.works[0]
    assert isinstance(found, VectorWork)
    return found


def test_a_convolution_reads_an_input_and_a_weight_of_each_tap(
    cut: Cut, linear_model: ModelSpec
) -> None:
    found = work(cut(convolve, Function.CONVOLVE, task_of(linear_model), LINEAR))
    # 12 queries, 12 keys and 20 values of three sequences; three taps.
    assert (found.elements, found.operands) == (3 * 44, 6)


def test_queries_and_keys_are_normed_in_two_passes(
    cut: Cut, linear_model: ModelSpec
) -> None:
    found = work(cut(norm_units, Function.UNIT_NORM, task_of(linear_model), LINEAR))
    assert (found.elements, found.passes, found.reductions) == (3 * 24, 2, 1)


def test_each_value_head_has_two_numbers(cut: Cut, linear_model: ModelSpec) -> None:
    found = work(cut(decays, Function.DECAY, task_of(linear_model), LINEAR))
    assert (found.elements, found.element_bits) == (3 * 2 * 4, 32)


def test_nothing_is_exchanged_between_the_input_and_the_sum(
    linear_model: ModelSpec,
) -> None:
    names = [each.name for each in block_operators(task_of(linear_model), LINEAR)]
    assert names == [
        *("norm", "gather", "scale", "qkv", "convolve", "unit_norm", "decay"),
        *("delta_rule", "gated_norm", "output", "scatter", "reduce"),
    ]

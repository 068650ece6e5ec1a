import numpy as np
import pytest

from chip.operator_work import VectorWork
from sharding.operators.operators import Compute, Exchange, Pattern, ShardedOperator
from sharding.operators.residual_stream import (
    gathered_input,
    normed_input,
    reduced_output,
    whole_group,
)
from sharding.transformer.task import Task
from specs.machine import load_machine
from specs.model import ModelSpec

MACHINE = load_machine()
FP16_BITS = 16


@pytest.fixture
def task(tiny: ModelSpec) -> Task:
    """Return three tokens of hidden size 8 on four chips: shards of two elements."""
    return Task(tiny, MACHINE, 4, 16, 3)


def names(operators: list[ShardedOperator]) -> list[str]:
    return [operator.name for operator in operators]


def exchange(operators: list[ShardedOperator], name: str) -> Exchange:
    (one,) = (each for each in operators if each.name == name)
    assert isinstance(one, Exchange)
    return one


def works(operators: list[ShardedOperator], name: str) -> list[object]:
    (one,) = (each for each in operators if each.name == name)
    assert isinstance(one, Compute)
    return list(one.works)


def test_all_chips_are_one_exchange_group(task: Task) -> None:
    assert whole_group(task).tolist() == [0, 0, 0, 0]


def test_an_input_is_normed_in_shards_and_gathered_with_its_norm_sums(
    task: Task,
) -> None:
    pairs = np.array([0, 0, 1, 1])
    operators = gathered_input(task, opens=True, teams=pairs, extra_bytes=8)
    assert names(operators) == ["norm", "gather"]
    gather = exchange(operators, "gather")
    assert gather.pattern is Pattern.GATHER
    assert gather.teams is pairs
    # Three tokens: 2 elements of 2 B, a sum of squares of 4 B, and 8 B more.
    assert gather.shard_bytes.tolist() == [3 * (2 * 2 + 4 + 8)] * 4
    # A router reads the result beside the exchange.
    norm = VectorWork(3 * 2, FP16_BITS, operations=3, operands=2, readers=2)
    assert works(operators, "norm") == [norm] * 4


def test_a_later_part_of_a_module_only_gathers(task: Task) -> None:
    operators = gathered_input(task, opens=False, teams=whole_group(task))
    assert names(operators) == ["gather"]


def test_a_normed_input_is_scaled_on_the_chips_that_receive_it(task: Task) -> None:
    only = np.array([True, False, False, True])
    operators = normed_input(task, opens=True, only=only)
    assert names(operators) == ["norm", "gather", "scale"]
    assert exchange(operators, "gather").only is only
    scale, none = (VectorWork(n, FP16_BITS, operations=2) for n in (3 * 8, 0))
    assert works(operators, "scale") == [scale, none, none, scale]
    everywhere = normed_input(task, opens=True)
    assert works(everywhere, "scale") == [scale] * 4


def test_partial_sums_are_scattered_and_added_to_the_residual_and_a_bias(
    task: Task,
) -> None:
    operators = reduced_output(
        task, teams=whole_group(task), summands=4, post_norm=False, biased=True
    )
    assert names(operators) == ["scatter", "reduce"]
    scatter = exchange(operators, "scatter")
    assert scatter.pattern is Pattern.SCATTER
    assert scatter.shard_bytes.tolist() == [3 * 2 * 2] * 4
    # Four partial sums, the residual and a bias are added in five operations.
    added = VectorWork(3 * 2, FP16_BITS, operations=5, operands=6)
    assert works(operators, "reduce") == [added] * 4


def test_a_norm_behind_a_block_gathers_its_sums_alone(task: Task) -> None:
    operators = reduced_output(
        task, teams=whole_group(task), summands=4, post_norm=True
    )
    assert names(operators) == ["scatter", "reduce", "post_norm", "post_scale"]
    assert exchange(operators, "post_norm").shard_bytes.tolist() == [3 * 4] * 4

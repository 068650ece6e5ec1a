import numpy as np
import pytest

from chip.operator_work import VectorWork
from sharding.operators.operators import Compute, Exchange, Pattern, ShardedOperator
from sharding.operators.residual_stream import (
    gathered_input,
    normed_input,
    normed_shard,
    scaling,
    weighing,
    whole_group,
)
from sharding.parallelism.tensor_group import Range
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import ModelSpec

MACHINE = load_machine()
FP16_BITS = 16
AT = "layers.{layer}.attention"


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
    operators = gathered_input(task, at=AT, opens=True, teams=pairs, extra_bytes=8)
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
    operators = gathered_input(task, at=AT, opens=False, teams=whole_group(task))
    assert names(operators) == ["gather"]


def test_a_normed_input_is_scaled_on_the_chips_that_receive_it(task: Task) -> None:
    only = np.array([True, False, False, True])
    operators = normed_input(task, at=AT, opens=True, only=only)
    assert names(operators) == ["norm", "gather", "scale"]
    assert exchange(operators, "gather").only is only
    scale, none = (VectorWork(n, FP16_BITS, operations=2) for n in (3 * 8, 0))
    assert works(operators, "scale") == [scale, none, none, scale]
    everywhere = normed_input(task, at=AT, opens=True)
    assert works(everywhere, "scale") == [scale] * 4


def test_a_chip_weighs_its_shard_and_states_which_columns_it_has_squared(
    task: Task,
) -> None:
    operation = weighing(task, AT)
    weighed, squares = operation.writes
    assert (weighed.value, squares.value) == (f"{AT}.weighed", f"{AT}.squares")
    assert weighed.first.tolist() == squares.part_first.tolist() == [0, 2, 4, 6]
    assert weighed.last.tolist() == squares.part_last.tolist() == [2, 4, 6, 8]
    assert normed_shard(task, AT)[0].first.tolist() == [0, 2, 4, 6]


def test_a_norm_is_scaled_by_the_sums_of_all_columns(task: Task) -> None:
    columns = Range(np.array([0, 4, 0, 0]), np.array([4, 8, 8, 0]))
    operation = scaling(task, AT, columns, "made")
    weighed, squares = operation.reads
    assert weighed.member.tolist() == squares.member.tolist() == [0, 1, 2]
    assert squares.part_last.tolist() == [8, 8, 8]
    assert operation.writes[0].first.tolist() == [0, 4, 0]

import numpy as np
import pytest

from chip.operator_work import VectorWork
from sharding.operators.operands import operand
from sharding.operators.operators import Compute, Exchange, Pattern, ShardedOperator
from sharding.operators.partial_sums import PartialSum, reduced_output
from sharding.operators.residual_stream import (
    whole_group,
)
from sharding.parallelism.tensor_group import Range
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import ModelSpec

MACHINE = load_machine()
FP16_BITS = 16
AT = "layers.{layer}.feed_forward"


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


def partial(first: int = 0, last: int = 2) -> PartialSum:
    """Return the sums of a feed-forward of 12 columns, three on each chip."""
    block = Block(BlockKind.FEED_FORWARD, 0, first, last, 2)
    edges = np.arange(0, 13, 3)
    low, high = block.range_of(12)
    return PartialSum(block, AT, Range(edges[:-1], edges[1:]), ((low, high),), "bias")


def test_partial_sums_are_scattered_and_added_to_the_residual_and_a_bias(
    task: Task,
) -> None:
    operators = reduced_output(
        task, partial(), teams=whole_group(task), summands=4, biased=True
    )
    assert names(operators) == ["scatter", "reduce"]
    scatter = exchange(operators, "scatter")
    assert scatter.pattern is Pattern.SCATTER
    assert scatter.shard_bytes.tolist() == [3 * 2 * 2] * 4
    # Four partial sums, the residual and a bias are added in five operations.
    added = VectorWork(3 * 2, FP16_BITS, operations=5, operands=6)
    assert works(operators, "reduce") == [added] * 4


def test_a_norm_behind_a_block_gathers_its_sums_alone(task: Task) -> None:
    task = task._replace(model=task.model.model_copy(update={"family": "gemma2"}))
    operators = reduced_output(task, partial(), teams=whole_group(task), summands=4)
    assert names(operators) == ["scatter", "reduce", "post_norm", "post_scale"]
    assert exchange(operators, "post_norm").shard_bytes.tolist() == [3 * 4] * 4


def test_a_sum_reads_the_parts_of_its_block_and_states_those_before_it(
    task: Task,
) -> None:
    (_, first), (_, last) = (
        reduced_output(task, partial(*cut), teams=whole_group(task), summands=4)
        for cut in ((0, 1), (1, 2))
    )
    assert isinstance(first, Compute)
    assert isinstance(last, Compute)
    (begin,), (end,) = first.operations(), last.operations()
    assert [each.value for each in begin.reads] == [f"{AT}.partial", "{residual}"]
    assert begin.writes[0].value == f"{AT}.output@1"
    assert begin.writes[0].part_last.tolist() == [6] * 4
    assert end.reads[0].part_first.tolist() == [6] * 4
    assert [each.value for each in end.reads[1:]] == [f"{AT}.output@1"]
    assert end.writes[0].value == f"{AT}.output"


def test_chips_beyond_the_columns_contribute_nothing(task: Task) -> None:
    # Three columns for four chips.
    edges = np.array([0, 0, 1, 2, 3])
    few = partial()._replace(parts=Range(edges[:-1], edges[1:]))
    operators = reduced_output(task, few, teams=whole_group(task), summands=4)
    contributors = exchange(operators, "scatter").only
    assert contributors is not None
    assert contributors.tolist() == [False, True, True, True]


def test_each_expert_adds_its_own_bias_times_its_weight(task: Task) -> None:
    sizes = {"experts": 4, "experts_per_token": 2}
    task = task._replace(model=task.model.model_copy(update=sizes))
    choice = operand(f"{AT}.choice", 0, np.full(4, 4))
    operators = reduced_output(
        task,
        partial()._replace(choice=(choice,)),
        teams=whole_group(task),
        summands=4,
        biased=True,
    )
    # Two multiplications and two additions, of two more operands.
    added = VectorWork(3 * 2, FP16_BITS, operations=8, operands=7)
    assert works(operators, "reduce") == [added] * 4
    (reduce,) = (each for each in operators if each.name == "reduce")
    assert isinstance(reduce, Compute)
    *_, bias, chosen = reduce.operations()[0].reads
    # Rows of all experts, and each chip's columns of them.
    assert (bias.value, bias.last.tolist()) == (f"{AT}.bias", [4] * 4)
    assert bias.part_first.tolist() == [0, 2, 4, 6]
    assert chosen is choice

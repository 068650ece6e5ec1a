from collections.abc import Callable

import numpy as np

from chip.dataflow import Function
from chip.operator_work import VectorWork
from sharding.operators.operators import (
    Compute,
    Exchange,
    Pattern,
    ShardedOperator,
)
from sharding.parallelism.tensor_group import Range
from sharding.partition.block_operators import block_operators
from sharding.partition.block_partition import BlockPartition
from sharding.partition.norms import router_scores, scaling, weigh, weighed_shard
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task
from specs.machine import load_machine
from workloads.operators import Function as GraphFunction

Cut = Callable[..., list[ShardedOperator]]
MACHINE = load_machine()
FP16_BITS = 16
AT = "layers.{layer}.attention"
ATTENTION = Block(BlockKind.ATTENTION, 0, 0, 1, 1)
FEED_FORWARD = Block(BlockKind.FEED_FORWARD, 0, 0, 2, 2)


def sharded(task: Task, block: Block) -> dict[str, ShardedOperator]:
    return {operator.name: operator for operator in block_operators(task, block)}


def works(operator: ShardedOperator) -> list[object]:
    assert isinstance(operator, Compute)
    return list(operator.works)


def test_an_input_is_normed_in_shards_and_gathered_with_its_norm_sums(
    task: Task,
) -> None:
    operators = sharded(task, ATTENTION)
    assert list(operators)[:3] == ["norm", "gather", "scale"]
    gather = operators["gather"]
    assert isinstance(gather, Exchange)
    assert gather.pattern is Pattern.GATHER
    assert gather.teams.tolist() == [0, 0, 0, 0]
    # Three tokens: 2 elements of 2 B, and a sum of squares of 4 B.
    assert gather.shard_bytes.tolist() == [3 * (2 * 2 + 4)] * 4
    norm = VectorWork(3 * 2, FP16_BITS, operations=3, operands=2, reductions=1)
    assert works(operators["norm"]) == [norm] * 4


def test_only_the_first_part_of_a_block_weighs_its_input(task: Task, cut: Cut) -> None:
    first = FEED_FORWARD._replace(last=1)
    (norm,) = cut(weigh, GraphFunction.NORM_WEIGH, task, first)
    work = VectorWork(3 * 2, FP16_BITS, operations=3, operands=2, reductions=1)
    assert works(norm) == [work] * 4
    later = FEED_FORWARD._replace(first=1)
    assert cut(weigh, GraphFunction.NORM_WEIGH, task, later) == []


def test_a_router_reads_the_weighed_shard_and_its_scores_travel_along(
    routed: Task,
) -> None:
    operators = sharded(routed, FEED_FORWARD)
    assert list(operators)[:5] == ["norm", "router", "gather", "scale", "choose"]
    gather = operators["gather"]
    assert isinstance(gather, Exchange)
    # Scores of four experts in FP32 beside the sum of squares.
    assert gather.shard_bytes.tolist() == [3 * (2 * 2 + 4 + 4 * 4)] * 4
    norm = VectorWork(
        3 * 2, FP16_BITS, operations=3, operands=2, readers=2, reductions=1
    )
    assert works(operators["norm"]) == [norm] * 4
    part = BlockPartition(routed, FEED_FORWARD)
    (scores,) = router_scores(part)
    assert scores.part_first.tolist() == [0, 2, 4, 6]
    assert router_scores(BlockPartition(routed, ATTENTION)) == ()


def test_a_later_part_of_a_block_only_gathers(task: Task) -> None:
    later = sharded(task, FEED_FORWARD._replace(first=1))
    assert list(later)[:2] == ["gather", "scale"]


def test_a_normed_input_is_scaled_on_the_chips_that_receive_it(task: Task) -> None:
    scale, none = (VectorWork(n, FP16_BITS, operations=2) for n in (3 * 8, 0))
    assert works(sharded(task, ATTENTION)["scale"]) == [scale] * 4
    alternating = sharded(task._replace(attention=2), ATTENTION)
    gather = alternating["gather"]
    assert isinstance(gather, Exchange)
    assert gather.only is not None
    assert gather.only.tolist() == [True, True, False, False]
    assert works(alternating["scale"]) == [scale, scale, none, none]


def test_a_chip_weighs_its_shard_and_states_which_columns_it_has_squared(
    task: Task,
) -> None:
    norm = sharded(task, ATTENTION)["norm"]
    assert isinstance(norm, Compute)
    ((name, function, reads, (weighed, squares)),) = norm.operations()
    assert (name, function) == (f"{AT}.norm", Function.NORM_WEIGH)
    assert [each.value for each in reads] == ["{residual}", f"{AT}.norm.weight"]
    assert (weighed.value, squares.value) == (f"{AT}.weighed", f"{AT}.squares")
    assert weighed.first.tolist() == squares.part_first.tolist() == [0, 2, 4, 6]
    assert weighed.last.tolist() == squares.part_last.tolist() == [2, 4, 6, 8]
    (again, _) = weighed_shard(BlockPartition(task, ATTENTION))
    assert again.first.tolist() == [0, 2, 4, 6]


def test_a_norm_is_scaled_by_the_sums_of_all_columns(task: Task) -> None:
    part = BlockPartition(task, ATTENTION)
    operator = part.find(GraphFunction.NORM_SCALE)
    assert operator is not None
    columns = Range(np.array([0, 4, 0, 0]), np.array([4, 8, 8, 0]))
    operation = scaling(part, operator, columns, "made")
    weighed, squares = operation.reads
    assert weighed.member.tolist() == squares.member.tolist() == [0, 1, 2]
    assert squares.part_last.tolist() == [8, 8, 8]
    assert operation.writes[0].first.tolist() == [0, 4, 0]

from collections.abc import Callable

from chip.dataflow import Function
from chip.operator_work import VectorWork
from sharding.operators.operators import (
    Compute,
    Exchange,
    Pattern,
    ShardedOperator,
)
from sharding.partition.block_operators import block_operators
from sharding.partition.block_partition import BlockPartition
from sharding.partition.partial_sums import accumulated, add_normed
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task
from specs.machine import load_machine
from workloads.operators import Function as GraphFunction

Cut = Callable[..., list[ShardedOperator]]

MACHINE = load_machine()
FP16_BITS = 16
AT = "layers.{layer}.feed_forward"
WHOLE = Block(BlockKind.FEED_FORWARD, 0, 0, 2, 2)


def with_settings(task: Task, **settings: object) -> Task:
    return task._replace(model=task.model.model_copy(update=settings))


def sharded(task: Task, block: Block) -> dict[str, ShardedOperator]:
    return {operator.name: operator for operator in block_operators(task, block)}


def reduced(task: Task, block: Block = WHOLE) -> Compute:
    operator = sharded(task, block)["reduce"]
    assert isinstance(operator, Compute)
    return operator


def scattered(task: Task, block: Block = WHOLE) -> Exchange:
    operator = sharded(task, block)["scatter"]
    assert isinstance(operator, Exchange)
    return operator


def test_partial_sums_are_scattered_and_added_to_the_residual_and_a_bias(
    task: Task,
) -> None:
    biased = with_settings(task, feed_forward_biases=True)
    assert list(sharded(biased, WHOLE))[-2:] == ["scatter", "reduce"]
    scatter = scattered(biased)
    assert scatter.pattern is Pattern.SCATTER
    assert scatter.shard_bytes.tolist() == [3 * 2 * 2] * 4
    # Four partial sums, the residual and a bias are added in five operations.
    added = VectorWork(3 * 2, FP16_BITS, operations=5, operands=6)
    assert list(reduced(biased).works) == [added] * 4


def test_a_norm_behind_a_block_gathers_its_sums_alone(task: Task) -> None:
    operators = sharded(with_settings(task, family="gemma2"), WHOLE)
    end = ["scatter", "reduce", "post_norm", "post_scale"]
    assert list(operators)[-4:] == end
    post_norm = operators["post_norm"]
    assert isinstance(post_norm, Exchange)
    assert post_norm.shard_bytes.tolist() == [3 * 4] * 4


def test_a_sum_reads_the_parts_of_its_block_and_states_those_before_it(
    task: Task,
) -> None:
    first, last = (WHOLE._replace(first=a, last=b) for a, b in ((0, 1), (1, 2)))
    (begin,), (end,) = (reduced(task, cut).operations() for cut in (first, last))
    assert [each.value for each in begin.reads] == [f"{AT}.partial", "{residual}"]
    assert begin.writes[0].value == f"{AT}.output@1"
    assert begin.writes[0].part_last.tolist() == [6] * 4
    assert end.reads[0].part_first.tolist() == [6] * 4
    assert [each.value for each in end.reads[1:]] == [f"{AT}.output@1"]
    assert end.writes[0].value == f"{AT}.output"
    carried = accumulated(BlockPartition(task, last), 1)
    assert (carried.value, carried.part_last.tolist()) == (f"{AT}.output@1", [6] * 4)


def test_chips_beyond_the_columns_contribute_nothing(task: Task) -> None:
    contributors = scattered(with_settings(task, intermediate_size=3)).only
    assert contributors is not None
    assert contributors.tolist() == [False, True, True, True]


def test_each_expert_adds_its_own_bias_times_its_weight(task: Task) -> None:
    experts = with_settings(
        task,
        family="mixtral",
        experts=4,
        experts_per_token=2,
        feed_forward_biases=True,
    )
    # Two multiplications and two additions, of two more operands.
    added = VectorWork(3 * 2, FP16_BITS, operations=8, operands=7)
    assert list(reduced(experts).works) == [added] * 4
    *_, bias, chosen = reduced(experts).operations()[0].reads
    # Rows of all experts, and each chip's columns of them.
    assert (bias.value, bias.last.tolist()) == (f"{AT}.down.bias", [4] * 4)
    assert bias.part_first.tolist() == [0, 2, 4, 6]
    assert chosen.value == f"{AT}.choice"


def test_the_last_part_of_a_block_adds_its_normed_sum_to_the_residual(
    task: Task, cut: Cut
) -> None:
    normed = with_settings(task, family="gemma2")
    gather, scale = cut(add_normed, GraphFunction.NORM_ADD, normed, WHOLE)
    assert isinstance(gather, Exchange)
    assert isinstance(scale, Compute)
    # A sum of squares in FP32 of each of three tokens.
    assert (gather.pattern, gather.shard_bytes.tolist()) == (Pattern.GATHER, [12] * 4)
    assert [each.value for each in gather.carries()] == [f"{AT}.sum_squares"]
    assert scale.works == (VectorWork(3 * 2, FP16_BITS, operations=3, operands=3),) * 4
    ((_, function, (total, sums, _, residual), (made,)),) = scale.operations()
    assert function is Function.NORM_ADD
    assert sums.part_first.tolist() == [0] * 4
    assert sums.part_last.tolist() == [8] * 4
    for each in (total, residual, made):
        assert each.first.tolist() == [0, 2, 4, 6]
        assert each.last.tolist() == [2, 4, 6, 8]
    assert (residual.value, made.value) == ("{residual}", f"{AT}.output")
    first = WHOLE._replace(last=1)
    assert cut(add_normed, GraphFunction.NORM_ADD, normed, first) == []

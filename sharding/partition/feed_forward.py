"""Vector operators of a feed-forward: choice of experts, activation, grid exchanges."""

import numpy as np

from chip.dataflow import Function
from sharding.operators.operands import Operand, Operation, operand, shards
from sharding.operators.operator_builders import vector
from sharding.operators.operators import Exchange, Pattern, ShardedOperator
from sharding.parallelism.tensor_group import Range
from sharding.partition.block_partition import BlockPartition
from sharding.partition.feed_forward_cuts import FeedForwardCuts, unscaled
from sharding.partition.products import scaled_sums
from sharding.weights.task import bytes_of
from specs.arrays import Ints
from specs.router import RouterScores, RouterSpec
from workloads.attributes import ChoiceAttributes
from workloads.operators import Function as GraphFunction
from workloads.operators import GraphOperator


def choose_experts(
    part: BlockPartition, operator: GraphOperator
) -> list[ShardedOperator]:
    """Return the sharded choice of experts, which every chip makes by all scores."""
    experts = FeedForwardCuts(part).experts * part.ones
    attributes = operator.attributes_as(ChoiceAttributes)
    router = attributes.router

    def chooses() -> tuple[Operation, ...]:
        scores, squares, *vectors = operator.inputs
        reads = (
            operand(scores, 0, experts, 0, part.hidden),
            operand(squares, 0, part.ones, 0, part.hidden),
            *(operand(name, 0, experts) for name in vectors),
        )
        made = FeedForwardCuts(part).choice()
        return (Operation(operator.name, Function.CHOOSE, reads, made),)

    return [
        vector(
            part.task,
            "choose",
            experts,
            operations=4 + router.vectors,
            passes=2,
            operands=1 + router.vectors,
            reductions=attributes.experts_per_token + _added_reductions(router),
            computes=chooses,
        )
    ]


def _added_reductions(router: RouterSpec) -> int:
    """Return the reductions of a choice of experts beside the best of all.

    A softmax over all experts needs its sum, and groups their best.
    """
    softmax = router.scores is RouterScores.SOFTMAX and router.before_choice
    grouped = router.group_best + router.groups_per_token
    return softmax + grouped * (router.groups > 1)


def activate(part: BlockPartition, operator: GraphOperator) -> list[ShardedOperator]:
    """Return the sharded activation of each chip's columns, in a grid with exchanges.

    In a grid the partial sums of a grid column are reduce-scattered before it, and what
    it makes is all-gathered.
    """
    cuts = FeedForwardCuts(part)
    inward = _inward(part)
    if not part.in_grid:
        columns = cuts.columns
        # Slices of a product are summed and scaled on the way.
        slices = len(inward) * part.slices
        summed = slices * (part.slices > 1)
        return [
            vector(
                part.task,
                "activate",
                cuts.work.pairs * columns.sizes,
                operations=6 + summed,
                operands=slices,
                tokens=1,
                computes=lambda: (
                    *scaled_sums(part),
                    _activating(part, operator, columns),
                ),
            )
        ]
    own = cuts.activated
    return [
        *_summed_in_grid(part),
        vector(
            part.task,
            "activate",
            own.sizes,
            operations=6,
            operands=len(inward),
            computes=lambda: (_activating(part, operator, own),),
        ),
        Exchange(
            "gather_columns",
            Pattern.GATHER,
            _sent_bytes(part, own.sizes),
            part.group.column,
            carries=lambda: (operand(operator.outputs[0], *own),),
        ),
    ]


def _inward(part: BlockPartition) -> tuple[str, ...]:
    """Return what the first products make."""
    product = part.find(GraphFunction.PRODUCT)
    assert product is not None
    return product.outputs


def _activating(
    part: BlockPartition, operator: GraphOperator, columns: Range
) -> Operation:
    cuts = FeedForwardCuts(part)
    inward = _inward(part)
    grouped = cuts.grouped(columns)
    reads = [
        operand(name, *grouped) if name in inward else cuts.by_expert(name, columns)
        for name in operator.inputs
        if name in inward or part.is_weights(name)
    ]
    made = (operand(operator.outputs[0], *grouped),)
    return Operation(operator.name, Function.ACTIVATE, (*reads, *cuts.choice()), made)


def _sent_bytes(part: BlockPartition, elements: Ints) -> Ints:
    return bytes_of(part.task.activation_format, elements * part.task.tokens)


def _summed_in_grid(part: BlockPartition) -> list[ShardedOperator]:
    """Return the reduce-scatter of a grid column's partial sums, and their sum.

    The root mean square is a factor, so it may be applied after the product: the norm
    sums of a grid row travel with the partial sums.
    """
    task, group = part.task, part.group
    own, inward = FeedForwardCuts(part).activated, _inward(part)
    elements = len(inward) * own.sizes
    sums_bytes = part.norm_sum_bytes * task.tokens * (task.tensor // group.inputs)
    return [
        Exchange(
            "scatter_columns",
            Pattern.SCATTER,
            _sent_bytes(part, elements) + sums_bytes,
            group.column,
            carries=lambda: tuple(
                shards(unscaled(name), *own, *part.inputs) for name in inward
            ),
            attached=lambda: (_row_sums(part),),
        ),
        vector(
            task,
            "reduce_columns",
            elements,
            operations=group.inputs + 1,
            operands=group.inputs,
            computes=lambda: (_summing(part),),
        ),
    ]


def _row_sums(part: BlockPartition) -> Operand:
    """Return the norm sums of each chip's grid row: those of all its shards."""
    group, shard = part.group, part.shard
    rows = [np.flatnonzero(group.row == row) for row in group.row.tolist()]
    held = np.concatenate(rows)
    member = np.repeat(group.members, [len(row) for row in rows])
    name = part.norm_sums
    edges = 0 * member, 0 * member + part.columns(name)
    return Operand(name, member, *edges, shard.start[held], shard.end[held])


def _summing(part: BlockPartition) -> Operation:
    """Return the sum of each chip's columns, times the norm's factor."""
    own, inward = FeedForwardCuts(part).activated, _inward(part)
    sums = part.columns(part.norm_sums) * part.ones
    reads = (
        *(operand(unscaled(name), *own, 0, part.hidden) for name in inward),
        operand(part.norm_sums, 0, sums, 0, part.hidden),
    )
    made = tuple(operand(name, *own) for name in inward)
    scale = part.find(GraphFunction.NORM_SCALE)
    assert scale is not None
    return Operation(scale.name, Function.SUM_SCALE, reads, made)

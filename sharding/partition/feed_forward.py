"""Vector operators of a feed-forward: activation, and exchanges in a grid."""

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
from workloads.feed_forward_attributes import ActivateAttributes
from workloads.operators import Function as GraphFunction
from workloads.operators import GraphOperator, is_shared


def activate(part: BlockPartition, operator: GraphOperator) -> list[ShardedOperator]:
    """Return the sharded activation of each chip's columns, in a grid with exchanges.

    In a grid the partial sums of a grid column are reduce-scattered before it, and what
    it makes is all-gathered.
    """
    cuts = FeedForwardCuts(part)
    inward = _inward(part, operator)
    operations = 6 + _clipping(operator)
    if not part.in_grid:
        columns, pairs = cuts.columns, cuts.work.pairs
        if is_shared(operator.name):
            columns, pairs = cuts.shared, part.task.tokens
        # Slices of a product are summed and scaled on the way.
        slices = len(inward) * part.slices
        summed = slices * (part.slices > 1)
        return [
            vector(
                part.task,
                operator.name.rpartition(".")[2],
                pairs * columns.sizes,
                operations=operations + summed,
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
        *_summed_in_grid(part, inward),
        vector(
            part.task,
            "activate",
            own.sizes,
            operations=operations,
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


def _clipping(operator: GraphOperator) -> int:
    """Return the operations on each element that an activation has beside the usual.

    A gate is clipped once and what it multiplies twice; a factor and an offset are an
    operation each.
    """
    attributes = operator.attributes_as(ActivateAttributes)
    clipped = 3 * (attributes.limit is not None)
    return clipped + (attributes.alpha != 1) + (attributes.offset != 0)


def _inward(part: BlockPartition, operator: GraphOperator) -> tuple[str, ...]:
    """Return what the product before an activation makes."""
    return next(
        product.outputs
        for product in part.operators
        if product.outputs[0] == operator.inputs[0]
    )


def _activating(
    part: BlockPartition, operator: GraphOperator, columns: Range
) -> Operation:
    cuts, shared = FeedForwardCuts(part), is_shared(operator.name)
    inward = _inward(part, operator)
    grouped = columns if shared else cuts.grouped(columns)
    weights = [name for name in operator.inputs if part.is_weights(name)]
    reads = [operand(name, *grouped) for name in inward]
    reads += [cuts.by_expert(name, columns) for name in weights]
    if operator.attributes_as(ActivateAttributes).chosen:
        # A chip without columns needs no weights of them.
        held = part.columns(operator.inputs[-1]) * (grouped.sizes > 0)
        reads.append(operand(operator.inputs[-1], 0, held))
    made = (operand(operator.outputs[0], *grouped),)
    return Operation(operator.name, Function.ACTIVATE, tuple(reads), made)


def _sent_bytes(part: BlockPartition, elements: Ints) -> Ints:
    return bytes_of(part.task.activation_format, elements * part.task.tokens)


def _summed_in_grid(
    part: BlockPartition, inward: tuple[str, ...]
) -> list[ShardedOperator]:
    """Return the reduce-scatter of a grid column's partial sums, and their sum.

    The root mean square is a factor, so it may be applied after the product: the norm
    sums of a grid row travel with the partial sums.
    """
    task, group = part.task, part.group
    own = FeedForwardCuts(part).activated
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
            computes=lambda: (_summing(part, inward),),
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


def _summing(part: BlockPartition, inward: tuple[str, ...]) -> Operation:
    """Return the sum of each chip's columns, times the norm's factor."""
    own = FeedForwardCuts(part).activated
    sums = part.columns(part.norm_sums) * part.ones
    reads = (
        *(operand(unscaled(name), *own, 0, part.hidden) for name in inward),
        operand(part.norm_sums, 0, sums, 0, part.hidden),
    )
    made = tuple(operand(name, *own) for name in inward)
    scale = part.find(GraphFunction.NORM_SCALE)
    assert scale is not None
    return Operation(scale.name, Function.SUM_SCALE, reads, made)

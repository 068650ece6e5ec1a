"""Partial sums of a block's output: from a sum's parts back to the residual shards."""

from chip.dataflow import Function
from sharding.operators.operands import Operand, Operation, operand, shards
from sharding.operators.operator_builders import vector
from sharding.operators.operators import Exchange, Pattern, ShardedOperator
from sharding.parallelism.tensor_group import Range
from sharding.partition.block_partition import BlockPartition
from sharding.partition.feed_forward_cuts import FeedForwardCuts
from sharding.partition.products import inner_cut, late_product
from sharding.weights.task import FP32_BYTES
from workloads.attributes import AddAttributes
from workloads.operators import Function as GraphFunction
from workloads.operators import GraphOperator


def add(part: BlockPartition, operator: GraphOperator) -> list[ShardedOperator]:
    """Return the sharded reduce-scatter of a block's partial sums, and their sum.

    The last part of a block adds the bias. In a model that normalises the sum, it is
    added to the residual afterwards.
    """
    task, block, group = part.task, part.block, part.group
    attributes = operator.attributes_as(AddAttributes)
    parts = summed_parts(part)
    # Chips outside an alternating group have none, nor do chips beyond the columns.
    contributes = parts.sizes > 0
    summands = group.attention if part.attends else task.tensor // group.inputs
    # A bias of an expert is multiplied by the expert's weight before it is added.
    chosen = attributes.chosen
    biases = attributes.biased * block.closes
    biases *= FeedForwardCuts(part).chosen if chosen else 1
    return [
        Exchange(
            "scatter",
            Pattern.SCATTER,
            task.shard_bytes(),
            part.one_team if part.attends else group.row,
            None if contributes.all() else contributes,
            lambda: (shards(operator.inputs[0], *part.shard, *parts),),
            beside=late_product(part),
        ),
        # The operands are the partial sums, the residual and a bias.
        vector(
            task,
            "reduce",
            part.shard.sizes,
            operations=summands
            + biases * (2 if chosen else 1)
            + (attributes.scale != 1),
            operands=summands + 1 + biases,
            computes=lambda: (_adding(part, operator, attributes),),
        ),
    ]


def summed_parts(part: BlockPartition) -> Range:
    """Return the columns of a sharded block whose products each chip sums up.

    A chip without any has no part in the reduce-scatter of the sums.
    """
    cut = inner_cut(part)
    return FeedForwardCuts(part).grouped(cut) if part.feeds_forward else cut


def accumulated(part: BlockPartition, place: int) -> Operand:
    """Return each chip's shard of the sum of a sharded block's parts before one.

    Parameters
    ----------
    part
        The block.
    place
        Number of the first part that is left out.
    """
    name = part.output_of(GraphFunction.ADD)
    before = part.block._replace(first=0, last=place)
    _, columns = before.range_of(FeedForwardCuts(part).size)
    return operand(f"{name}@{place}", *part.shard, 0, columns)


def _adding(
    part: BlockPartition, operator: GraphOperator, attributes: AddAttributes
) -> Operation:
    """Return the operation that adds the partial sums of each chip's shard."""
    block, shard = part.block, part.shard
    partial, *others = operator.inputs
    residual = others.pop(0) if attributes.residual else None
    reads = [operand(partial, *shard, *columns) for columns in _summed(part)]
    if not block.opens:
        reads.append(accumulated(part, block.first))
    elif residual is not None:
        reads.append(operand(residual, *shard))
    if attributes.biased and block.closes:
        bias = others[0]
        if attributes.chosen:
            rows = part.rows(bias) * part.ones
            reads += [operand(bias, 0, rows, *shard), *FeedForwardCuts(part).choice()]
        else:
            reads.append(operand(bias, *shard))
    if not block.closes:
        return Operation(
            operator.name,
            Function.ADD,
            tuple(reads),
            (accumulated(part, block.last),),
        )
    total, *sums = operator.outputs
    made = (
        operand(total, *shard),
        *(operand(name, 0, part.ones, *shard) for name in sums),
    )
    return Operation(operator.name, Function.ADD, tuple(reads), made)


def _summed(part: BlockPartition) -> tuple[tuple[int, int], ...]:
    """Return the ranges of columns over which all chips' partial sums are added."""
    if part.attends:
        last = GraphFunction.GATED_NORM if part.is_linear else GraphFunction.VALUES
        return ((0, part.columns(part.output_of(last))),)
    return FeedForwardCuts(part).summed


def add_normed(part: BlockPartition, operator: GraphOperator) -> list[ShardedOperator]:
    """Return the sharded norm of a block's sum, which is added to the residual."""
    task = part.task
    if not part.block.closes:
        return []
    total, sums, weights, residual = operator.inputs
    sums_bytes = FP32_BYTES * task.tokens * part.ones

    def adds() -> tuple[Operation, ...]:
        reads = (
            operand(total, *part.shard),
            operand(sums, 0, part.ones, 0, part.hidden),
            operand(weights, *part.shard),
            operand(residual, *part.shard),
        )
        made = (operand(operator.outputs[0], *part.shard),)
        return (Operation(operator.name, Function.NORM_ADD, reads, made),)

    return [
        Exchange(
            "post_norm",
            Pattern.GATHER,
            sums_bytes,
            part.one_team,
            carries=lambda: (operand(sums, 0, part.ones, *part.shard),),
        ),
        vector(
            task,
            "post_scale",
            part.shard.sizes,
            operations=3,
            operands=3,
            computes=adds,
        ),
    ]

"""Matrix products of a block: the first cut by what they make, the last by its inputs.

In a grid the first products are of a part of the input's columns too, so that each chip
has partial sums of them.
"""

from chip.dataflow import Function
from sharding.operators.operands import Operand, Operation, operand
from sharding.operators.operator_builders import matrix_product
from sharding.operators.operators import ShardedOperator
from sharding.parallelism.tensor_group import Range
from sharding.partition.attention_cuts import AttentionCuts
from sharding.partition.block_partition import BlockPartition
from sharding.partition.feed_forward_cuts import FeedForwardCuts, unscaled
from workloads.operators import Function as GraphFunction
from workloads.operators import GraphOperator


def multiply(part: BlockPartition, operator: GraphOperator) -> list[ShardedOperator]:
    """Return the sharded products of one input with one or more matrices."""
    if part.is_summed(operator):
        return [_summed_product(part, operator)]
    return [_cut_product(part, operator)]


def inner_cut(part: BlockPartition) -> Range:
    """Return the columns that each chip has between a block's sharded products."""
    if part.attends:
        return AttentionCuts(part).query
    return FeedForwardCuts(part).columns


def _made_cuts(part: BlockPartition, operator: GraphOperator) -> tuple[Range, ...]:
    """Return the columns of each result that each chip makes."""
    if part.attends:
        cuts = AttentionCuts(part)
        return cuts.query, cuts.key, cuts.key
    cut = FeedForwardCuts(part).columns if part.feeds_forward else part.outputs
    return (cut,) * len(operator.outputs)


def _trace_name(operator: GraphOperator) -> str:
    """Return the name of a product in traces."""
    return operator.name.rpartition(".")[2].removesuffix("_product")


def _cut_product(part: BlockPartition, operator: GraphOperator) -> ShardedOperator:
    """Return a product of a block's whole input: each chip makes some columns."""
    task, inputs = part.task, part.inputs
    cuts = _made_cuts(part, operator)
    made = sum((cut.sizes for cut in cuts), 0 * part.ones)

    def multiplies() -> tuple[Operation, ...]:
        left, *matrices = operator.inputs
        made_here = operator.outputs
        parts = Range(0 * made, 0 * made + 1)
        if part.in_grid:
            # The norm's factor is applied to the sums.
            left = part.output_of(GraphFunction.NORM_WEIGH)
            made_here, parts = tuple(map(unscaled, made_here)), inputs
        held = Range(inputs.start, inputs.end * (made > 0))
        reads = [operand(left, *held), *_choice(part)]
        writes = []
        for matrix, output, cut in zip(matrices, made_here, cuts, strict=True):
            reads.append(_by_expert(part, matrix, cut, inputs))
            writes.append(operand(output, *_grouped(part, cut), *parts))
        return (
            Operation(operator.name, Function.PRODUCT, tuple(reads), tuple(writes)),
        )

    return matrix_product(
        task._replace(context=1) if part.pools else task,
        _trace_name(operator),
        inner=inputs.sizes,
        # Gates meet what they multiply on the same lanes; queries, keys and values lie
        # side by side.
        columns=tuple(cut.sizes for cut in cuts) if part.feeds_forward else (made,),
        matrices=_experts(part),
        outputs=_experts(part) * made,
        # Expert weights cannot be loaded ahead: the router's result is their address.
        ready=0 * made if part.is_routed else None,
        computes=multiplies,
    )


def _summed_product(part: BlockPartition, operator: GraphOperator) -> ShardedOperator:
    """Return a block's last product: each chip makes a partial sum of all columns."""
    cut = inner_cut(part)

    def multiplies() -> tuple[Operation, ...]:
        left, matrix = operator.inputs
        # The rows of the matrix are what a block's input has as columns.
        rows, columns = part.inputs, _grouped(part, cut)
        held = _by_expert(part, matrix, cut)
        weights = held._replace(
            first=rows.start[held.member],
            last=rows.end[held.member],
            part_first=held.first,
            part_last=held.last,
        )
        reads = (operand(left, *columns), *_choice(part), weights)
        made = (operand(operator.outputs[0], *rows, *columns),)
        return (Operation(operator.name, Function.PRODUCT, reads, made),)

    return matrix_product(
        part.task,
        _trace_name(operator),
        inner=cut.sizes,
        columns=(part.inputs.sizes,),
        matrices=_experts(part),
        inputs=_experts(part) * cut.sizes,
        ready=0 * cut.sizes if part.is_routed else None,
        computes=multiplies,
    )


def _experts(part: BlockPartition) -> int:
    """Return the experts whose matrices a chip multiplies, 1 outside of experts."""
    return FeedForwardCuts(part).work.experts if part.feeds_forward else 1


def _choice(part: BlockPartition) -> tuple[Operand, ...]:
    return FeedForwardCuts(part).choice() if part.feeds_forward else ()


def _grouped(part: BlockPartition, cut: Range) -> Range:
    return FeedForwardCuts(part).grouped(cut) if part.feeds_forward else cut


def _by_expert(
    part: BlockPartition, matrix: str, cut: Range, columns: Range | None = None
) -> Operand:
    """Return the rows of a matrix that each chip has, of each of its experts."""
    edges = columns or ()
    if part.feeds_forward:
        return FeedForwardCuts(part).by_expert(matrix, cut, *edges)
    return operand(matrix, *cut, *edges)


def score_experts(
    part: BlockPartition, operator: GraphOperator
) -> list[ShardedOperator]:
    """Return the sharded product of each chip's shard with the router's matrix.

    A later part of a block receives the partial scores from the stage before.
    """
    if not part.block.opens:
        return []
    weighed, matrix = operator.inputs
    experts = part.rows(matrix)

    def multiplies() -> tuple[Operation, ...]:
        rows = experts * part.ones
        reads = (operand(weighed, *part.shard), operand(matrix, 0, rows, *part.shard))
        made = (operand(operator.outputs[0], 0, rows, *part.shard),)
        return (Operation(operator.name, Function.ROUTER, reads, made),)

    return [
        matrix_product(
            part.task,
            "router",
            inner=part.shard.sizes,
            columns=(experts * part.ones,),
            computes=multiplies,
        )
    ]

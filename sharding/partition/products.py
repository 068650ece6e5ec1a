"""Matrix products of a block: the first cut by what they make, the last by its inputs.

In a grid the first products are of a part of the input's columns too, so that each chip
has partial sums of them.
"""

from dataclasses import replace

import numpy as np

from chip.dataflow import Function
from sharding.operators.operands import Operand, Operation, operand
from sharding.operators.operator_builders import matrix_product, vector
from sharding.operators.operators import Compute, ShardedOperator
from sharding.parallelism.overlap import other_columns
from sharding.parallelism.tensor_group import Range
from sharding.partition.attention_cuts import AttentionCuts
from sharding.partition.block_partition import BlockPartition
from sharding.partition.feed_forward_cuts import FeedForwardCuts, unscaled
from workloads.operators import Function as GraphFunction
from workloads.operators import GraphOperator


def multiply(part: BlockPartition, operator: GraphOperator) -> list[ShardedOperator]:
    """Return the sharded products of one input with one or more matrices.

    Beside an exchange run parts of them, `early_product` and `late_product`.
    """
    others = other_columns(part.own, part.hidden)
    if part.is_summed(operator):
        made = others if part.overlap.scatter else (part.inputs,)
        return [_summed_product(part, operator, made)]
    if part.overlap.gather:
        rest = _cut_product(part, operator, others)
        scaled = [] if part.sums_in_passing else [_scaled_sum(part, operator)]
        return [replace(rest, continues=True), *scaled]
    return [_cut_product(part, operator, (part.inputs,))]


def early_product(part: BlockPartition) -> Compute | None:
    """Return the sharded product of each chip's own columns of a block's input."""
    if not part.overlap.gather:
        return None
    product = part.find(GraphFunction.PRODUCT)
    assert product is not None
    # The rest of the product and the sum follow.
    return _cut_product(part, product, (part.own,), readers=2)


def late_product(part: BlockPartition) -> Compute | None:
    """Return the sharded product that makes each chip's own columns of the output."""
    if not part.overlap.scatter:
        return None
    products = (o for o in part.operators if o.function is GraphFunction.PRODUCT)
    summed = next(product for product in products if part.is_summed(product))
    return replace(_summed_product(part, summed, (part.own,)), continues=True)


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


def _cut_product(
    part: BlockPartition,
    operator: GraphOperator,
    slices: tuple[Range, ...],
    *,
    readers: int = 1,
) -> Compute:
    """Return a product of columns of a block's input: each chip makes some columns.

    Each of the slices of the input has a result of its own.
    """
    task = part.task
    cuts = _made_cuts(part, operator)
    made = sum((cut.sizes for cut in cuts), 0 * part.ones)
    inner = sum((each.sizes for each in slices), 0 * part.ones)
    results = sum((1 * (each.sizes > 0) for each in slices), 0 * part.ones)
    return matrix_product(
        task._replace(context=1) if part.pools else task,
        _trace_name(operator),
        inner=inner,
        # Gates meet what they multiply on the same lanes; queries, keys and values lie
        # side by side.
        columns=tuple(cut.sizes for cut in cuts) if part.feeds_forward else (made,),
        matrices=_experts(part),
        outputs=_experts(part) * made * results,
        # Expert weights cannot be loaded ahead: the router's result is their address.
        ready=0 * made if part.is_routed else None,
        readers=readers,
        computes=lambda: tuple(
            _multiplying(part, operator, each, cuts) for each in slices
        ),
    )


def _multiplying(
    part: BlockPartition,
    operator: GraphOperator,
    inputs: Range,
    cuts: tuple[Range, ...],
) -> Operation:
    """Return the operation that multiplies some columns of a block's input."""
    left, *matrices = operator.inputs
    made_here = operator.outputs
    made = sum((cut.sizes for cut in cuts), 0 * part.ones)
    parts = Range(0 * made, 0 * made + 1)
    if part.in_grid or part.overlap.gather:
        # The norm's factor is applied to the sums.
        left = part.output_of(GraphFunction.NORM_WEIGH)
        made_here, parts = tuple(map(unscaled, made_here)), inputs
    held = Range(inputs.start, np.where(made > 0, inputs.end, 0))
    reads = [operand(left, *held), *_choice(part)]
    writes = []
    for matrix, output, cut in zip(matrices, made_here, cuts, strict=True):
        reads.append(_by_expert(part, matrix, cut, inputs))
        writes.append(operand(output, *_grouped(part, cut), *parts))
    return Operation(operator.name, Function.PRODUCT, tuple(reads), tuple(writes))


def scaled_sums(part: BlockPartition) -> tuple[Operation, ...]:
    """Return the sharded sum of the first product's slices, times the norm's factor.

    It is chained to what reads them; there is none if the product has one slice.
    """
    if not part.overlap.gather:
        return ()
    operator, scale = (
        part.find(GraphFunction.PRODUCT),
        part.find(GraphFunction.NORM_SCALE),
    )
    assert operator is not None
    assert scale is not None
    cuts = _made_cuts(part, operator)
    made = sum((cut.sizes for cut in cuts), 0 * part.ones)
    held = part.columns(part.norm_sums) * (made > 0)
    named = list(zip(operator.outputs, cuts, strict=True))
    reads = (
        *(operand(unscaled(name), *cut, 0, part.hidden) for name, cut in named),
        operand(part.norm_sums, 0, held, 0, part.hidden),
    )
    writes = tuple(operand(name, *cut) for name, cut in named)
    return (Operation(scale.name, Function.SUM_SCALE, reads, writes),)


def _scaled_sum(part: BlockPartition, operator: GraphOperator) -> Compute:
    """Return the operator that sums the slices of a product on its own."""
    cuts = _made_cuts(part, operator)
    return vector(
        part.task,
        "scale",
        sum((cut.sizes for cut in cuts), 0 * part.ones),
        operations=part.slices,
        operands=part.slices,
        computes=lambda: scaled_sums(part),
    )


def _summed_product(
    part: BlockPartition, operator: GraphOperator, made: tuple[Range, ...]
) -> Compute:
    """Return a block's last product: each chip makes a partial sum of some columns."""
    cut = inner_cut(part)
    return matrix_product(
        part.task,
        _trace_name(operator),
        inner=cut.sizes,
        columns=(sum((rows.sizes for rows in made), 0 * part.ones),),
        matrices=_experts(part),
        inputs=_experts(part) * cut.sizes,
        ready=0 * cut.sizes if part.is_routed else None,
        computes=lambda: tuple(_summing(part, operator, rows) for rows in made),
    )


def _summing(part: BlockPartition, operator: GraphOperator, rows: Range) -> Operation:
    """Return the operation that makes a partial sum of some columns."""
    left, matrix = operator.inputs
    # The rows of the matrix are what a block's input has as columns.
    columns = _grouped(part, inner_cut(part))
    held = _by_expert(part, matrix, inner_cut(part))
    weights = held._replace(
        first=rows.start[held.member],
        last=rows.end[held.member],
        part_first=held.first,
        part_last=held.last,
    )
    there = weights.first < weights.last
    weights = weights._replace(
        **{
            name: getattr(weights, name)[there]
            for name in ("member", "first", "last", "part_first", "part_last")
        }
    )
    reads = (operand(left, *columns), *_choice(part), weights)
    made = (operand(operator.outputs[0], *rows, *columns),)
    return Operation(operator.name, Function.PRODUCT, reads, made)


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

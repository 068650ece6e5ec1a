"""Matrix products of a block: the first cut by what they make, the last by its inputs.

In a grid the first products are of a part of the input's columns too, so that each chip
has partial sums of them.
"""

from dataclasses import replace

import numpy as np

from chip.dataflow import Function
from sharding.operators.operands import Operand, Operation, operand
from sharding.operators.operator_builders import (
    matrix_product,
    vector,
)
from sharding.operators.operators import Compute, ShardedOperator
from sharding.parallelism.overlap import other_columns
from sharding.parallelism.tensor_group import Range
from sharding.partition.attention_cuts import AttentionCuts, LatentCuts, LinearCuts
from sharding.partition.block_partition import BlockPartition
from sharding.partition.feed_forward_cuts import (
    FeedForwardCuts,
    is_addressed,
    is_routed,
    multiplied_experts,
    shared_cut,
    stored_product,
    unscaled,
)
from workloads.attributes import ProductAttributes
from workloads.operators import Function as GraphFunction
from workloads.operators import GraphOperator, is_shared


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
    if part.has_latents:
        return LatentCuts(part).context
    if part.is_linear:
        return LinearCuts(part).values
    if part.attends:
        return AttentionCuts(part).query
    return FeedForwardCuts(part).columns


def _made_cuts(part: BlockPartition, operator: GraphOperator) -> tuple[Range, ...]:
    """Return the columns of each result that each chip makes."""
    if part.has_latents:
        return LatentCuts(part).first_products(operator)
    if part.is_linear:
        return LinearCuts(part).projected
    if part.attends:
        cuts = AttentionCuts(part)
        # Gates of what is attended to are cut as queries are.
        every = cuts.query, cuts.key, cuts.key, cuts.query
        return every[: len(operator.outputs)]
    if part.feeds_forward:
        inner = FeedForwardCuts(part)
        cut = inner.shared if is_shared(operator.name) else inner.columns
    else:
        cut = part.outputs
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
        matrices=multiplied_experts(part, operator),
        outputs=multiplied_experts(part, operator) * made * results,
        ready=0 * made if is_addressed(part, operator) else None,
        stored=stored_product(part, operator, cuts, slices),
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
    routed = is_routed(part, operator)
    reads = [operand(left, *held), *(_choice(part) if routed else ())]
    writes = []
    for matrix, output, cut in zip(matrices, made_here, cuts, strict=True):
        numbered, rows = cut, operand(matrix, *cut, *inputs)
        if part.feeds_forward and not is_shared(operator.name):
            numbered = FeedForwardCuts(part).grouped(cut)
            rows = FeedForwardCuts(part).by_expert(matrix, cut, *inputs)
        reads.append(rows)
        writes.append(operand(output, *numbered, *parts))
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
    """Return a block's last product: each chip makes a partial sum of some columns.

    With a shared expert, its matrix lies behind those of the chosen experts, by inputs:
    the sum of all their products is one.
    """
    cut = inner_cut(part)
    experts, shared = multiplied_experts(part, operator), shared_cut(part, operator)
    # Of several experts and a shared one, each is a part of the inputs.
    several = shared is not None
    return matrix_product(
        part.task,
        _trace_name(operator),
        inner=cut.sizes,
        columns=(sum((rows.sizes for rows in made), 0 * part.ones),),
        matrices=1 if several else experts,
        stacked=(*[cut.sizes] * (experts - 1), shared.sizes) if shared else (),
        inputs=experts * cut.sizes + (shared.sizes if shared else 0),
        stored=stored_product(part, operator, made, (cut,)),
        ready=0 * cut.sizes if is_addressed(part, operator) else None,
        computes=lambda: tuple(_summing(part, operator, rows) for rows in made),
    )


def _summing(part: BlockPartition, operator: GraphOperator, rows: Range) -> Operation:
    """Return the operation that makes a partial sum of some columns."""
    lefts = operator.attributes_as(ProductAttributes).lefts
    left, matrix = operator.inputs[0], operator.inputs[lefts]
    # The rows of the matrix are what a block's input has as columns.
    cut = inner_cut(part)
    columns, held = cut, operand(matrix, *cut)
    if part.feeds_forward:
        cuts = FeedForwardCuts(part)
        columns, held = cuts.grouped(cut), cuts.by_expert(matrix, cut)
    reads = [operand(left, *columns), _of_rows(held, rows)]
    shared = shared_cut(part, operator)
    if shared:
        _, other, _, beside = operator.inputs
        reads += [operand(other, *shared), _of_rows(operand(beside, *shared), rows)]
    if is_routed(part, operator):
        reads += _choice(part)
    made = (operand(operator.outputs[0], *rows, *columns),)
    return Operation(operator.name, Function.PRODUCT, tuple(reads), made)


def _of_rows(held: Operand, rows: Range) -> Operand:
    """Return some rows of a matrix of which each chip has some columns."""
    weights = held._replace(
        first=rows.start[held.member],
        last=rows.end[held.member],
        part_first=held.first,
        part_last=held.last,
    )
    there = weights.first < weights.last
    return weights._replace(
        **{
            name: getattr(weights, name)[there]
            for name in ("member", "first", "last", "part_first", "part_last")
        }
    )


def _choice(part: BlockPartition) -> tuple[Operand, ...]:
    return FeedForwardCuts(part).choice() if part.feeds_forward else ()

"""Norms between a chip's shard of the residual stream and the input of a block.

A norm's factor is known only once the sums of all shards are together. So each chip
multiplies its shard by the norm's weights, the shards are all-gathered with their sums,
and each chip applies the factor to all that it has.
"""

import numpy as np
from numpy.typing import NDArray

from chip.dataflow import Function
from sharding.operators.operands import Operand, Operation, operand
from sharding.operators.operator_builders import vector
from sharding.operators.operators import (
    Compute,
    Exchange,
    Pattern,
    ShardedOperator,
)
from sharding.parallelism.tensor_group import Range
from sharding.partition.block_partition import BlockPartition
from sharding.partition.products import early_product
from workloads.operators import RESIDUAL, GraphOperator, multiplies_residual
from workloads.operators import Function as GraphFunction


def weigh(part: BlockPartition, operator: GraphOperator) -> list[ShardedOperator]:
    """Return the sharded weighing of each chip's shard for a norm, and its sums.

    A later part of a block receives the weighed shard from the stage before.
    """
    return [weigh_shard(part, operator)] if part.block.opens else []


def weigh_shard(part: BlockPartition, operator: GraphOperator) -> Compute:
    """Return the sharded operator that weighs each chip's shard for a norm."""
    # Square, sum, and multiply by the weights: three chained operations.
    return vector(
        part.task,
        "norm",
        part.shard.sizes,
        operations=3,
        operands=2,
        # A product may begin with the shard beside its exchange.
        readers=part.readers(operator.outputs[0]) + part.overlap.gather,
        reductions=1,
        computes=lambda: (weighing(part, operator),),
    )


def weighing(part: BlockPartition, operator: GraphOperator) -> Operation:
    """Return the sharded operation that weighs each chip's shard for a norm."""
    reads = tuple(operand(name, *part.shard) for name in operator.inputs)
    return Operation(operator.name, Function.NORM_WEIGH, reads, weighed_shard(part))


def weighed_shard(part: BlockPartition) -> tuple[Operand, ...]:
    """Return the operands of each chip's weighed shard and its norm sums."""
    operator = part.find(GraphFunction.NORM_WEIGH)
    assert operator is not None
    weighed, sums = operator.outputs
    return (
        operand(weighed, *part.shard),
        operand(sums, 0, part.columns(sums) * part.ones, *part.shard),
    )


def router_scores(part: BlockPartition) -> tuple[Operand, ...]:
    """Return each chip's partial scores of experts, none in a dense block."""
    router = part.find(GraphFunction.ROUTER)
    if router is None:
        return ()
    (scores,) = router.outputs
    return (operand(scores, 0, part.columns(scores) * part.ones, *part.shard),)


def scale(part: BlockPartition, operator: GraphOperator) -> list[ShardedOperator]:
    """Return the sharded all-gather of a norm's shards, and its factor on all columns.

    With the shards travel their sums and partial scores of experts. In a grid each chip
    gathers only the columns that it multiplies, and the factor comes after the product.
    So it does if a chip multiplies its own columns beside the all-gather.
    """
    task = part.task
    only = _receivers(part, operator)
    gather = Exchange(
        "gather",
        Pattern.GATHER,
        part.normed_shard_bytes(part.router_bytes),
        part.group.row if part.in_grid else part.one_team,
        only,
        lambda: (*weighed_shard(part), *router_scores(part)),
        beside=early_product(part),
    )
    if part.in_grid or part.overlap.gather:
        return [gather]
    whole = part.hidden * (part.ones if only is None else only)
    factor = vector(
        task,
        "scale",
        whole,
        operations=2,
        readers=part.readers(operator.inputs[0]),
        computes=lambda: (
            scaling(part, operator, Range(0 * whole, whole), operator.outputs[0]),
        ),
    )
    return [gather, factor]


def gather_residual(
    part: BlockPartition, product: GraphOperator
) -> list[ShardedOperator]:
    """Return the sharded all-gather of the residual, if a product reads it as it is."""
    if not multiplies_residual(product):
        return []
    return [
        Exchange(
            "gather",
            Pattern.GATHER,
            part.task.shard_bytes(),
            part.one_team,
            _receivers(part, product),
            lambda: (operand(RESIDUAL, *part.shard),),
        )
    ]


def _receivers(
    part: BlockPartition, operator: GraphOperator
) -> NDArray[np.bool_] | None:
    """Return the chips that need a block's whole input, None if all do.

    In alternating groups those with heads do; where the normed input is the residual
    too, all of them.
    """
    add = part.find(GraphFunction.ADD)
    alternates = part.attends and part.group.alternating_groups > 1
    if not alternates or (add is not None and operator.outputs[0] in add.inputs):
        return None
    return part.heads.heads > 0


def scaling(
    part: BlockPartition, operator: GraphOperator, columns: Range, made: str
) -> Operation:
    """Return a sharded operation that applies a norm's factor to weighed columns.

    Parameters
    ----------
    part, operator
        The block, and the operator of its graph.
    columns
        Columns on each chip; empty on a chip that has no part in it.
    made
        Name of the result.
    """
    weighed, sums, *affine = operator.inputs
    held = part.columns(sums) * (columns.sizes > 0)
    # The mean that a LayerNorm subtracts is weighed too, and a bias is added.
    reads = (
        operand(weighed, *columns),
        operand(sums, 0, held, 0, part.hidden),
        *(operand(name, *columns) for name in affine),
    )
    writes = (operand(made, *columns),)
    return Operation(operator.name, Function.NORM_SCALE, reads, writes)

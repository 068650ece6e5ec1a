"""Operators from the projections to positioned latents and queries.

A chip projects its slice of the latents. The chips with heads all-gather the slices,
because a norm needs a whole latent and each head all of it. Then each norms what it
has, and projects the queries of its own heads.
"""

import numpy as np

from chip.dataflow import Function
from sharding.operators.operands import Operand, Operation, operand
from sharding.operators.operator_builders import (
    MatrixParts,
    matrix_product,
    stored_matrices,
    vector,
)
from sharding.operators.operators import Compute, Exchange, Pattern, ShardedOperator
from sharding.parallelism.tensor_group import Range
from sharding.partition.attention_cuts import LatentCuts
from sharding.partition.block_partition import BlockPartition
from sharding.partition.products import multiply
from sharding.weights.task import bytes_of
from specs.model_formats import WeightGroup
from workloads.operators import Function as GraphFunction
from workloads.operators import GraphOperator


def multiply_latents(
    part: BlockPartition, operator: GraphOperator
) -> list[ShardedOperator]:
    """Return the sharded products of a block of latent attention."""
    if part.find(GraphFunction.PRODUCT) is operator:
        # The latents that it makes are exchanged next.
        return [*multiply(part, operator), *_shared_latents(part, operator)]
    if part.is_summed(operator):
        return multiply(part, operator)
    return [_query_up(part, operator)]


def _shared_latents(part: BlockPartition, operator: GraphOperator) -> list[Exchange]:
    """Return the all-gather of the latents' slices, if several chips have heads."""
    cuts, task = LatentCuts(part), part.task
    if int(cuts.attends.sum()) == 1:
        return []
    named = [
        (name, cut)
        for name, cut in zip(
            operator.outputs, cuts.first_products(operator), strict=True
        )
        if not name.endswith(".query")
    ]
    elements = sum((cut.sizes for _, cut in named), 0 * part.ones)
    alone = 1 + part.group.members

    def carries() -> tuple[Operand, ...]:
        return tuple(operand(name, *cut) for name, cut in named)

    return [
        Exchange(
            "share_latents",
            Pattern.GATHER,
            bytes_of(task.activation_format, elements * task.tokens),
            # A chip without heads is an exchange group of its own.
            np.where(cuts.attends > 0, 0, alone),
            carries=carries,
        )
    ]


def norm_latents(
    part: BlockPartition, operator: GraphOperator
) -> list[ShardedOperator]:
    """Return the sharded norms of whole latents, on every chip with heads.

    What follows the normed columns, the key that is rotated next, stays.
    """
    cuts = LatentCuts(part)
    count = len(operator.inputs) // 2
    normed = sum(part.columns(name) for name in operator.inputs[count:])

    def norms() -> tuple[Operation, ...]:
        reads = tuple(
            operand(name, *cuts.whole(part.columns(name))) for name in operator.inputs
        )
        made = tuple(
            operand(name, *cuts.whole(part.columns(name))) for name in operator.outputs
        )
        return (Operation(operator.name, Function.LATENT_NORM, reads, made),)

    return [
        # Squares and their sums; then the factor and the weights.
        vector(
            part.task,
            "latent_norm",
            normed * cuts.attends,
            operations=2,
            passes=2,
            operands=2,
            reductions=count,
            computes=norms,
        )
    ]


def _query_up(part: BlockPartition, operator: GraphOperator) -> Compute:
    """Return the product from the latent of queries to the queries of each chip."""
    cuts = LatentCuts(part)
    latent, matrix = operator.inputs
    rank = part.columns(latent)
    queries = cuts.of_heads(cuts.sizes.head_dim)

    def multiplies() -> tuple[Operation, ...]:
        whole = cuts.whole(rank)
        reads = (operand(latent, *whole), operand(matrix, *queries, 0, whole.end))
        made = (operand(operator.outputs[0], *queries),)
        return (Operation(operator.name, Function.PRODUCT, reads, made),)

    return matrix_product(
        part.task,
        "query_up",
        inner=rank * cuts.attends,
        columns=(queries.sizes,),
        stored=stored_matrices(
            MatrixParts(
                part.task.formats.of(WeightGroup.ATTENTION, part.block.layer),
                (queries,),
                (Range(*cuts.whole(rank)),),
            )
        ),
        computes=multiplies,
    )


def place_latents(
    part: BlockPartition, operator: GraphOperator
) -> list[ShardedOperator]:
    """Return the sharded rotation of queries, and of the key behind each latent."""
    cuts = LatentCuts(part)
    sizes = cuts.sizes

    def rotates() -> tuple[Operation, ...]:
        regions = cuts.of_heads(sizes.head_dim), cuts.whole(sizes.cached_size)
        reads, made = (
            tuple(operand(n, *cut) for n, cut in zip(names, regions, strict=True))
            for names in (operator.inputs, operator.outputs)
        )
        return (Operation(operator.name, Function.POSITION, reads, made),)

    # The operands are a number, its partner in the rotation, cosine and sine. Plain
    # elements stay where they are.
    rotated = (cuts.split.heads + cuts.attends) * sizes.rotary_dim
    return [
        vector(
            part.task,
            "rotary",
            rotated,
            operations=6,
            operands=4,
            reorders=True,
            computes=rotates,
        )
    ]

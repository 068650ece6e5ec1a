"""Operators from the projections to positioned heads: biases, head norms, rotation.

A chip projects its slice of each head. The chips of a KV-head group all-gather their
slices, because a rotation takes pairs that lie half a head apart.
"""

import numpy as np

from chip.dataflow import Function
from sharding.operators.operands import Operand, Operation, operand
from sharding.operators.operator_builders import vector
from sharding.operators.operators import Exchange, Pattern, ShardedOperator
from sharding.partition.attention_cuts import AttentionCuts
from sharding.partition.block_partition import BlockPartition
from sharding.partition.products import scaled_sums
from sharding.weights.task import FP32_BYTES, bytes_of
from workloads.attributes import HeadNormAttributes, PositionAttributes
from workloads.operators import Function as GraphFunction
from workloads.operators import GraphOperator

Names = tuple[str, ...]


def norm_heads(part: BlockPartition, operator: GraphOperator) -> list[ShardedOperator]:
    """Return the sharded weighing of each chip's queries and keys for their norm.

    The root mean square of a head is known only after its sums are exchanged; it is a
    factor, so it may be applied after the rotation.
    """
    cuts = AttentionCuts(part)

    def weighs() -> tuple[Operation, ...]:
        named = tuple(
            (name, cut)
            for name, cut in zip(
                operator.inputs[2:4], (cuts.query, cuts.key), strict=False
            )
            if name.endswith("_norm.weight")
        )
        whole = _norms_all_heads(part)
        # In a wide KV-head group a chip may have a slice of the queries alone.
        weights = tuple(
            operand(name, *cut)
            if whole
            else operand(name, 0, cuts.size * (cut.sizes > 0))
            for name, cut in named
        )
        reads = cuts.sliced(_biased(part)[:2]) + weights
        made = cuts.sliced(operator.outputs[:2]) + cuts.sliced(_squares(part))
        return (Operation(operator.name, Function.HEAD_NORM, reads, made),)

    return [
        *_biases_alone(part),
        # Square, sum, and multiply by the weights.
        vector(
            part.task,
            "head_norm",
            cuts.query.sizes + cuts.key.sizes,
            operations=3,
            operands=2,
            reductions=1,
            computes=weighs,
        ),
    ]


def place_heads(part: BlockPartition, operator: GraphOperator) -> list[ShardedOperator]:
    """Return the sharded rotation of queries and keys, behind biases and an exchange.

    The bias is one more chained operation on queries and keys, and the only one on
    values.
    """
    cuts = AttentionCuts(part)
    operators: list[ShardedOperator] = []
    chained, summed = _chains_biases(part), part.sums_in_passing
    if not _norms_heads(part):
        operators += _biases_alone(part)
    if cuts.shared:
        operators.append(_shared_slices(part))
    if not _rotates(part):
        return operators

    def rotates() -> tuple[Operation, ...]:
        reads, made = cuts.whole(_sliced(part)), cuts.whole(operator.outputs)
        rotation = Operation(operator.name, Function.POSITION, reads, made)
        added = (_adding_biases(part),) if chained else ()
        return (*(scaled_sums(part) if summed else ()), *added, rotation)

    # The operands are a number, its partner in the rotation, cosine and sine; new keys
    # are transposed. Slices of the first two are summed and scaled on the way.
    values = chained or summed
    placed = cuts.split.heads * (cuts.sharing + 1 + values) * cuts.size
    rotation = vector(
        part.task,
        "rotary",
        placed,
        operations=6 + _grows(part) + chained + 2 * part.slices * summed,
        operands=4 + 2 * (part.slices - 1) * summed,
        reorders=True,
        computes=rotates,
    )
    return [*operators, rotation]


def scale_heads(part: BlockPartition, operator: GraphOperator) -> list[ShardedOperator]:
    """Return the sharded product of rotated queries and keys with their norm's factors.

    The factors are those of whole heads. If they are of all heads together, the sums of
    squares of the heads of all chips are exchanged before.
    """
    cuts = AttentionCuts(part)
    of_all = _norms_all_heads(part)

    def scales() -> tuple[Operation, ...]:
        squares = cuts.whole(_squares(part))
        if of_all:
            sizes = (part.columns(name) for name in _projected(part)[:2])
            holds = cuts.split.heads > 0
            squares = tuple(
                operand(name, 0, size * holds)
                for name, size in zip(_squares(part), sizes, strict=True)
            )
        reads = cuts.whole(operator.inputs[:2]) + squares
        made = cuts.whole(operator.outputs)
        return (Operation(operator.name, Function.HEAD_SCALE, reads, made),)

    whole = cuts.split.heads * (cuts.sharing + 1) * cuts.size
    scale = vector(part.task, "head_scale", whole, operations=2, computes=scales)
    return [*([_shared_squares(part)] if of_all else []), scale]


def _shared_squares(part: BlockPartition) -> Exchange:
    """Return the all-gather of the sums of squares of all heads."""
    cuts = AttentionCuts(part)
    # A chip without heads takes no part.
    alone = 1 + part.group.members
    return Exchange(
        "share_squares",
        Pattern.GATHER,
        FP32_BYTES * cuts.touched_heads * part.task.tokens,
        np.where(cuts.split.heads > 0, 0, alone),
        carries=lambda: cuts.sliced(_squares(part)),
    )


def _projected(part: BlockPartition) -> Names:
    """Return the names of queries, keys and values as they are projected."""
    product = part.find(GraphFunction.PRODUCT)
    assert product is not None
    return product.outputs[:3]


def _has_biases(part: BlockPartition) -> bool:
    return all(part.is_weights(f"{name}.bias") for name in _projected(part))


def _norms_heads(part: BlockPartition) -> bool:
    return part.find(GraphFunction.HEAD_NORM) is not None


def _norms_all_heads(part: BlockPartition) -> bool:
    """Return whether the norm of heads is of all heads together."""
    if not _norms_heads(part):
        return False
    return part.attributes(GraphFunction.HEAD_NORM, HeadNormAttributes).whole


def _rotates(part: BlockPartition) -> bool:
    attributes = part.attributes(GraphFunction.POSITION, PositionAttributes)
    return attributes.rotary is not None


def _grows(part: BlockPartition) -> bool:
    """Return whether queries grow with their position."""
    attributes = part.attributes(GraphFunction.POSITION, PositionAttributes)
    return attributes.query_growth > 0


def _chains_biases(part: BlockPartition) -> bool:
    """Return whether biases are added as part of the rotation.

    They are unless something lies between the two.
    """
    between = AttentionCuts(part).shared or _norms_heads(part) or not _rotates(part)
    return _has_biases(part) and not between


def _biased(part: BlockPartition) -> Names:
    """Return the names of queries, keys and values with their biases, if any."""
    if not _rotates(part):
        operator = part.find(GraphFunction.POSITION)
        assert operator is not None
        return operator.outputs
    if not _has_biases(part):
        return _projected(part)
    split = (name.rpartition(".") for name in _projected(part))
    return tuple(f"{block}.biased_{name}" for block, _, name in split)


def _sliced(part: BlockPartition) -> Names:
    """Return the names of queries, keys and values before they are positioned."""
    norm = part.find(GraphFunction.HEAD_NORM)
    if norm is None:
        return _biased(part)
    return (*norm.outputs[:2], _biased(part)[2])


def _squares(part: BlockPartition) -> Names:
    """Return the names of the sums of squares of queries and keys, by their rows."""
    return tuple(f"{name}_squares" for name in _projected(part)[:2])


def _adding_biases(part: BlockPartition) -> Operation:
    """Return the addition of biases to each chip's slice."""
    cuts, names = AttentionCuts(part), _projected(part)
    reads = cuts.sliced(names) + cuts.sliced(tuple(f"{name}.bias" for name in names))
    operator = part.find(GraphFunction.POSITION)
    assert operator is not None
    made = cuts.sliced(_biased(part))
    return Operation(operator.name, Function.BIAS, reads, made)


def _biases_alone(part: BlockPartition) -> list[ShardedOperator]:
    """Return the operator that adds biases, if there are any and nothing else does."""
    if not _has_biases(part) or _chains_biases(part):
        return []
    cuts = AttentionCuts(part)
    return [
        vector(
            part.task,
            "qkv_bias",
            cuts.query.sizes + 2 * cuts.key.sizes,
            operands=2,
            computes=lambda: (_adding_biases(part),),
        )
    ]


def _shared_slices(part: BlockPartition) -> Exchange:
    """Return the all-gather of the slices of the heads that chips share.

    The sums of squares of the heads of a chip's slice travel with it.
    """
    task, cuts = part.task, AttentionCuts(part)
    normed = _norms_heads(part) and not _norms_all_heads(part)
    sliced = cuts.query.sizes + 2 * cuts.key.sizes
    sent_bytes = bytes_of(task.activation_format, sliced * task.tokens)
    if normed:
        sent_bytes += FP32_BYTES * cuts.touched_heads * task.tokens

    def carries() -> tuple[Operand, ...]:
        squares = cuts.sliced(_squares(part)) if normed else ()
        return cuts.sliced(_sliced(part)) + squares

    return Exchange(
        "share_qkv", Pattern.GATHER, sent_bytes, cuts.teams, carries=carries
    )

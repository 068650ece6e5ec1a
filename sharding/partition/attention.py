"""Products of attention: scores, softmax and values, of whole heads or shared ones.

With up to one chip per key/value head, chips hold whole heads and attention has no
exchange of its own. The chips of a KV-head group each attend to a part of the context,
and the partial values are reduce-scattered. With alternating groups, only one group of
chips has heads in a layer.
"""

import numpy as np

from chip.dataflow import Function
from chip.mxm_tiling import tiling
from sharding.operators.operands import Operation, operand, shards
from sharding.operators.operator_builders import matrix_product, vector
from sharding.operators.operators import (
    Compute,
    Exchange,
    Operations,
    Pattern,
    ShardedOperator,
)
from sharding.parallelism.tensor_group import Range
from sharding.partition.attention_cuts import AttentionCuts
from sharding.partition.block_partition import BlockPartition
from sharding.weights.task import FP32_BYTES, bytes_of
from specs.arrays import Ints
from workloads.attributes import AttentionAttributes
from workloads.operators import Function as GraphFunction
from workloads.operators import GraphOperator


def score(part: BlockPartition, operator: GraphOperator) -> list[ShardedOperator]:
    """Return the sharded product of queries with the keys of each chip's positions."""
    cuts = AttentionCuts(part)

    def scores() -> tuple[Operation, ...]:
        queries, keys, *cache = operator.inputs
        reads = (
            *cuts.whole((queries, keys)),
            *(operand(name, *cuts.whole_key, *cuts.context_part) for name in cache),
        )
        made = operand(operator.outputs[0], *cuts.query_heads, *cuts.context_part)
        return (Operation(operator.name, Function.SCORES, reads, (made,)),)

    return [_cached_product(part, Function.SCORES, scores)]


def soften(part: BlockPartition, operator: GraphOperator) -> list[ShardedOperator]:
    """Return the sharded softmax over each chip's positions."""
    cuts = AttentionCuts(part)

    def softens() -> tuple[Operation, ...]:
        scores, *sinks = operator.inputs
        first, last = cuts.query_heads
        # A sink is in the sum of the first part of the context alone.
        own = np.where(cuts.split.member == 0, last, 0)
        reads = (
            operand(scores, first, last, *cuts.context_part),
            *(operand(name, first, own) for name in sinks),
        )
        made = operand(operator.outputs[0], first, last, *cuts.context_part)
        return (Operation(operator.name, Function.SOFTMAX, reads, (made,)),)

    # Largest score; exponentials and their sum; division.
    return [
        vector(
            part.task,
            "softmax",
            _scored(part),
            operations=3 + len(operator.inputs) + _falls(part),
            passes=3,
            reductions=2,
            tokens=1,
            computes=softens,
        )
    ]


def attend(part: BlockPartition, operator: GraphOperator) -> list[ShardedOperator]:
    """Return the sharded sum of values weighed by the softmax.

    A chip that has a head for itself makes its context at once. The chips of a KV-head
    group exchange and add up their parts.
    """
    cuts = AttentionCuts(part)

    def attends() -> tuple[Operation, ...]:
        weights, values, *cache = operator.inputs
        reads = (
            operand(weights, *cuts.query_heads, *cuts.context_part),
            operand(values, *cuts.whole_key),
            *(operand(name, *cuts.whole_key, *cuts.context_part) for name in cache),
        )
        alone = cuts.split.members == 1
        first, last = cuts.whole_query
        made = (
            operand(operator.outputs[0], first, np.where(alone, last, 0)),
            operand(
                _attended(operator),
                first,
                np.where(alone, 0, last),
                *cuts.context_part,
            ),
        )
        written = tuple(each for each in made if len(each.member))
        return (Operation(operator.name, Function.ATTEND, reads, written),)

    product = _cached_product(part, Function.ATTEND, attends)
    return [product, *(_combined(part, operator) if cuts.shared else [])]


def _falls(part: BlockPartition) -> bool:
    """Return whether scores fall with the distance of a position."""
    return part.attributes(GraphFunction.SCORES, AttentionAttributes).alibi > 0


def gate_output(part: BlockPartition, operator: GraphOperator) -> list[ShardedOperator]:
    """Return the sharded product of what heads attend to with sigmoids of gates."""
    cut = AttentionCuts(part).query

    def gates() -> tuple[Operation, ...]:
        reads = tuple(operand(name, *cut) for name in operator.inputs)
        made = (operand(operator.outputs[0], *cut),)
        return (Operation(operator.name, Function.OUTPUT_GATE, reads, made),)

    return [
        # The sigmoid is an exponential, a sum and a division.
        vector(
            part.task,
            "gate_output",
            cut.sizes,
            operations=5,
            operands=2,
            computes=gates,
        )
    ]


def _attended(operator: GraphOperator) -> str:
    """Return the name of the values of a part of the context."""
    return f"{operator.name.rpartition('.')[0]}.attended"


def _queried(part: BlockPartition) -> Ints:
    """Return the elements of the queries of each chip's heads, of all tokens."""
    return AttentionCuts(part).whole_query.sizes * part.task.tokens


def _scored(part: BlockPartition) -> Ints:
    """Return the scores of each chip's heads and positions, of all tokens."""
    cuts, task = AttentionCuts(part), part.task
    scores = task.score_tokens(part.block, cuts.split.members)
    return cuts.query_heads.sizes * scores * task.batch


def _cached_product(
    part: BlockPartition, function: Function, computes: Operations
) -> Compute:
    """Return a product with the keys or the values of each chip's positions.

    Positions are the columns of keys and the rows of values. A tile multiplies every
    query, and the softmax leaves out what the causal mask omits.
    """
    cuts, task = AttentionCuts(part), part.task
    # Members of a KV-head group share the context of their head.
    positions = -(-task.cached_tokens(part.block) // cuts.split.members)
    # Keys and values of the newest positions cannot be loaded before the product.
    older = np.maximum(positions - task.sequence_tokens, 0)
    scores = function is Function.SCORES
    head = cuts.size * part.ones
    matrices = cuts.split.heads * task.batch
    cut = tiling(task.machine.chip, task.operand_bytes(task.cached_format))
    ready = -(-cuts.size // cut.side) * (older // cut.side) * matrices // cut.at_once
    entering, leaving = _queried(part), _scored(part)
    if not scores:
        entering, leaving = leaving, entering
    return matrix_product(
        task,
        "scores" if scores else "values",
        inner=head if scores else positions,
        columns=(positions if scores else head,),
        matrices=matrices,
        # Each query head that shares a key/value head, at each position that is
        # computed together.
        rows=cuts.sharing * task.sequence_tokens,
        inputs=entering,
        outputs=leaving,
        stored=task.cached_format,
        ready=ready,
        tokens=1,
        computes=computes,
    )


def _combined(part: BlockPartition, operator: GraphOperator) -> list[ShardedOperator]:
    """Return the reduce-scatter of a KV-head group's parts of the values."""
    cuts, task = AttentionCuts(part), part.task
    query, members = cuts.query, cuts.split.members
    # Each part has its rows, and the largest score and the sum of every head.
    part_bytes = bytes_of(task.activation_format, query.sizes * task.tokens)
    part_bytes += (query.sizes > 0) * (2 * FP32_BYTES * cuts.sharing * task.tokens)
    rows = Range(query.start, np.where(members > 1, query.end, 0))
    most = int(members.max())

    def combines() -> tuple[Operation, ...]:
        reads = (operand(_attended(operator), *rows, 0, members),)
        made = (operand(operator.outputs[0], *rows),)
        return (Operation(operator.name, Function.COMBINE, reads, made),)

    return [
        Exchange(
            "share_values",
            Pattern.SCATTER,
            part_bytes,
            cuts.teams,
            carries=lambda: (shards(_attended(operator), *query, *cuts.context_part),),
            # The largest score and the sum of every head go with each shard.
            joined=False,
        ),
        vector(
            task,
            "combine",
            np.where(members > 1, query.sizes, 0),
            operations=3 * most,
            operands=most,
            computes=combines,
        ),
    ]

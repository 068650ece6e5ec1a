"""The head of an encoder: the norm of all states, and the pool of first positions."""

from chip.dataflow import Function
from sharding.operators.operands import Operation, operand
from sharding.operators.operator_builders import vector
from sharding.operators.operators import Exchange, Pattern, ShardedOperator
from sharding.parallelism.tensor_group import Range
from sharding.partition.block_partition import BlockPartition
from sharding.partition.norms import scaling, weighed_shard, weighing
from sharding.weights.task import bytes_of
from workloads.operators import GraphOperator

# What the graph has as rows of the weighed states, and all states.
_FIRST, _STATES = "head.first_weighed", "head.states"


def weigh_states(
    part: BlockPartition, operator: GraphOperator
) -> list[ShardedOperator]:
    """Return the sharded weighing of all states, with those of first positions."""

    def weighs() -> tuple[Operation, ...]:
        weighed = weighing(part, operator)
        first = operand(_FIRST, *part.shard)
        return (weighed._replace(writes=(*weighed.writes, first)),)

    return [
        vector(
            part.task,
            "norm",
            part.shard.sizes,
            operations=3,
            operands=2,
            reductions=1,
            computes=weighs,
        )
    ]


def scale_states(
    part: BlockPartition, operator: GraphOperator
) -> list[ShardedOperator]:
    """Return the sharded norm of each chip's states, and that of first positions.

    Each chip keeps its shard of the states; only first positions are all-gathered.
    """
    task, shard = part.task, part.shard
    whole = Range(0 * part.ones, part.hidden * part.ones)
    first_bytes = bytes_of(task.activation_format, shard.sizes * task.batch)

    def scales_first() -> tuple[Operation, ...]:
        scaled = scaling(part, operator, whole, operator.outputs[0])
        weighed = scaled.reads[0]._replace(value=_FIRST)
        return (scaled._replace(reads=(weighed, *scaled.reads[1:])),)

    return [
        Exchange(
            "gather",
            Pattern.GATHER,
            first_bytes + part.norm_sum_bytes * task.tokens,
            part.one_team,
            carries=lambda: (operand(_FIRST, *shard), weighed_shard(part)[1]),
        ),
        vector(
            task,
            "scale",
            shard.sizes,
            operations=2,
            computes=lambda: (scaling(part, operator, shard, _STATES),),
        ),
        vector(
            task._replace(context=1),
            "scale_first",
            whole.sizes,
            operations=2,
            computes=scales_first,
        ),
    ]


def activate_pooled(
    part: BlockPartition, operator: GraphOperator
) -> list[ShardedOperator]:
    """Return the sharded activation of pooled states, and their gather on one chip."""
    task = part.task
    rows = part.outputs
    pooled_bytes = bytes_of(task.activation_format, rows.sizes * task.batch)

    def activates() -> tuple[Operation, ...]:
        reads = tuple(operand(name, *rows) for name in operator.inputs)
        made = (operand(operator.outputs[0], *rows),)
        return (Operation(operator.name, Function.ACTIVATE, reads, made),)

    return [
        # Bias and hyperbolic tangent.
        vector(
            task._replace(context=1),
            "activate",
            rows.sizes,
            operations=7,
            computes=activates,
        ),
        Exchange(
            "pooled",
            Pattern.TO_LEADER,
            pooled_bytes,
            part.one_team,
            carries=lambda: (operand(operator.outputs[0], *rows),),
        ),
    ]

"""The gated delta rule on the states of each chip's heads, and the norm behind it.

A state is read, corrected and written in SRAM by vector operators, in FP32. The tokens
of a chunk follow each other, because each reads what the one before has written.
"""

from chip.dataflow import Function
from sharding.operators.operands import Operation, operand
from sharding.operators.operator_builders import vector
from sharding.operators.operators import ShardedOperator
from sharding.partition.attention_cuts import LinearCuts
from sharding.partition.block_partition import BlockPartition
from sharding.partition.linear.projections import SILU
from sharding.weights.blocks import Block
from sharding.weights.task import Task, bytes_of
from specs.arrays import Ints
from workloads.operators import GraphOperator

# A state is decayed and multiplied by the key; then corrected, and read by the query.
_PASSES_PER_TOKEN = 2


def update_states(
    part: BlockPartition, operator: GraphOperator
) -> list[ShardedOperator]:
    """Return the sharded delta rule: each chip updates and reads its heads' states."""
    cuts, task = LinearCuts(part), part.task

    def updates() -> tuple[Operation, ...]:
        queries, keys, values, written, kept, state = operator.inputs
        reads = (
            operand(queries, *cuts.keys),
            operand(keys, *cuts.keys),
            operand(values, *cuts.values),
            operand(written, *cuts.value_heads),
            operand(kept, *cuts.value_heads),
            operand(state, *cuts.values),
        )
        made = (operand(operator.outputs[0], *cuts.values),)
        return (Operation(operator.name, Function.DELTA_RULE, reads, made),)

    return [
        # In the second pass: decay, product and sum of the correction, and those of
        # what is read; beside a state is the correction of its column.
        vector(
            task,
            "delta_rule",
            cuts.values.sizes * cuts.sizes.key_dim,
            operations=5,
            passes=_PASSES_PER_TOKEN * task.sequence_tokens,
            operands=2,
            tokens=task.batch,
            wide=True,
            computes=updates,
        )
    ]


def gate_normed(part: BlockPartition, operator: GraphOperator) -> list[ShardedOperator]:
    """Return the sharded norm of each chip's value heads, times SiLU of their gates."""
    cuts = LinearCuts(part)

    def gates() -> tuple[Operation, ...]:
        recalled, gate, weights = operator.inputs
        reads = (
            operand(recalled, *cuts.values),
            operand(gate, *cuts.values),
            operand(weights, 0, cuts.sizes.value_dim * cuts.attends),
        )
        made = (operand(operator.outputs[0], *cuts.values),)
        return (Operation(operator.name, Function.GATED_NORM, reads, made),)

    return [
        # Squares and their sums; then factor, weights and gate.
        vector(
            part.task,
            "gated_norm",
            cuts.values.sizes,
            operations=3 + SILU,
            passes=2,
            operands=3,
            reductions=1,
            computes=gates,
        )
    ]


def linear_bytes(task: Task, block: Block) -> Ints:
    """Return the bytes of what a sharded block of linear attention has in flight.

    These are queries, keys, values and gates of each chip's heads, and what the
    convolution makes of the first three.
    """
    cuts = LinearCuts(BlockPartition(task, block))
    elements = 4 * cuts.keys.sizes + 3 * cuts.values.sizes
    return bytes_of(task.activation_format, elements * task.tokens)

"""Operators from the projections to the delta rule: convolution, norms and decay.

All are by channel or by head, so that a chip with whole heads exchanges nothing.
"""

from chip.dataflow import Function
from sharding.operators.operands import Operation, operand
from sharding.operators.operator_builders import vector
from sharding.operators.operators import ShardedOperator
from sharding.partition.attention_cuts import LinearCuts
from sharding.partition.block_partition import BlockPartition
from workloads.operators import GraphOperator

# Operations of SiLU: an exponential, a sum, a division, a product.
SILU = 4


def convolve(part: BlockPartition, operator: GraphOperator) -> list[ShardedOperator]:
    """Return the sharded causal convolution of each chip's channels, with its state."""
    cuts = LinearCuts(part)
    own, kernel = (cuts.keys, cuts.keys, cuts.values), cuts.sizes.kernel

    def convolves() -> tuple[Operation, ...]:
        new, weights = operator.inputs[:3], operator.inputs[3:6]
        states = operator.inputs[6:]
        reads = (
            *(operand(name, *cut) for name, cut in zip(new, own, strict=True)),
            *(
                operand(name, *cut, 0, kernel * cuts.attends)
                for name, cut in zip(weights, own, strict=True)
            ),
            *(operand(name, *cut) for name, cut in zip(states, own, strict=True)),
        )
        made = tuple(
            operand(name, *cut) for name, cut in zip(operator.outputs, own, strict=True)
        )
        return (Operation(operator.name, Function.CONVOLVE, reads, made),)

    return [
        # Each tap is a product and a sum of a token's input and a weight.
        vector(
            part.task,
            "convolve",
            2 * cuts.keys.sizes + cuts.values.sizes,
            operations=2 * kernel + SILU,
            operands=2 * kernel,
            computes=convolves,
        )
    ]


def norm_units(part: BlockPartition, operator: GraphOperator) -> list[ShardedOperator]:
    """Return the sharded division of each chip's queries and keys by their length."""
    cuts = LinearCuts(part)

    def norms() -> tuple[Operation, ...]:
        reads = tuple(operand(name, *cuts.keys) for name in operator.inputs)
        made = tuple(operand(name, *cuts.keys) for name in operator.outputs)
        return (Operation(operator.name, Function.UNIT_NORM, reads, made),)

    return [
        # Squares and their sums; then the factor.
        vector(
            part.task,
            "unit_norm",
            2 * cuts.keys.sizes,
            operations=2,
            passes=2,
            reductions=1,
            computes=norms,
        )
    ]


def decays(part: BlockPartition, operator: GraphOperator) -> list[ShardedOperator]:
    """Return the sharded writes and decays of each chip's value heads."""
    cuts = LinearCuts(part)

    def makes() -> tuple[Operation, ...]:
        reads = tuple(operand(name, *cuts.value_heads) for name in operator.inputs)
        made = tuple(operand(name, *cuts.value_heads) for name in operator.outputs)
        return (Operation(operator.name, Function.DECAY, reads, made),)

    return [
        # A bias, a logarithm of 1 and an exponential, a rate, and an exponential.
        vector(
            part.task,
            "decay",
            2 * cuts.value_heads.sizes,
            operations=7,
            operands=3,
            wide=True,
            computes=makes,
        )
    ]

"""The head of a decoder: the largest logit of each chip, and the token of all."""

import numpy as np

from chip.dataflow import Function
from sharding.operators.operands import Operand, Operation, operand
from sharding.operators.operator_builders import vector
from sharding.operators.operators import Exchange, Pattern, ShardedOperator
from sharding.partition.block_partition import BlockPartition
from workloads.operators import Function as GraphFunction
from workloads.operators import GraphOperator

# The token that a pass chooses.
TOKEN = "head.token"
# A candidate for the next token is its logit and its number.
CANDIDATE_BYTES = 8


def choose_candidate(
    part: BlockPartition, operator: GraphOperator
) -> list[ShardedOperator]:
    """Return the sharded choice of each chip's largest logit."""
    block = part.block

    def chooses() -> tuple[Operation, ...]:
        # A bias is numbered as the logits are.
        reads = [operand(name, *part.outputs) for name in operator.inputs]
        if not block.opens:
            reads.append(candidates(part, block.first))
        made = (candidates(part, block.last),)
        return (Operation(operator.name, Function.CANDIDATE, tuple(reads), made),)

    # A chip without rows names a candidate that cannot win.
    rows = np.maximum(part.outputs.sizes, 1)
    return [
        vector(
            part.task,
            "candidate",
            rows,
            operations=1 + len(operator.inputs),
            operands=len(operator.inputs),
            passes=2,
            reductions=1,
            computes=chooses,
        )
    ]


def candidates(part: BlockPartition, place: int) -> Operand:
    """Return each chip's sharded candidate among parts of the vocabulary before one.

    A candidate is numbered by the chip that has it.

    Parameters
    ----------
    part
        The head.
    place
        Number of the first part that is left out.
    """
    operator = part.find(GraphFunction.CANDIDATE)
    assert operator is not None
    (name,) = operator.outputs
    member = part.group.members
    if place == part.block.parts:
        return operand(name, member, member + 1)
    before = part.block._replace(first=0, last=place)
    _, high = before.range_of(part.columns(operator.inputs[0]))
    return operand(f"{name}@{place}", member, member + 1, 0, high)


def sample(part: BlockPartition, operator: GraphOperator) -> list[ShardedOperator]:
    """Return the sharded choice of the token among the candidates of all chips.

    Only the last part of a head makes it, on the first chip.
    """
    task, block = part.task, part.block
    if not block.closes:
        return []
    first = 0 * part.ones
    first[0] = 1

    def samples() -> tuple[Operation, ...]:
        reads = (operand(operator.inputs[0], 0, first * task.tensor),)
        made = (operand(operator.outputs[0], 0, first),)
        return (Operation(operator.name, Function.SAMPLE, reads, made),)

    return [
        Exchange(
            "candidates",
            Pattern.TO_LEADER,
            CANDIDATE_BYTES * task.tokens * part.ones,
            part.one_team,
            carries=lambda: (candidates(part, block.last),),
        ),
        vector(
            task,
            "sample",
            first * task.tensor,
            operations=4,
            passes=2,
            reductions=1,
            computes=samples,
        ),
    ]

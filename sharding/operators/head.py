"""The operators of the head: the choice of a token, or an encoder's pooled state."""

import numpy as np

from chip.dataflow import Function
from sharding.operators.operands import Operand, Operation, operand
from sharding.operators.operator_builders import matrix_product, vector
from sharding.operators.operators import Exchange, Pattern, ShardedOperator
from sharding.operators.residual_stream import (
    normed_input,
    normed_shard,
    scaling,
    weighing,
    whole_group,
)
from sharding.parallelism.ranges import bounds
from sharding.parallelism.tensor_group import Range
from sharding.weights.blocks import Block
from sharding.weights.task import Task, bytes_of

HEAD = "head"
# The token that a pass chooses.
TOKEN = "head.token"
# A candidate for the next token is its logit and its number.
CANDIDATE_BYTES = 8


def head(task: Task, block: Block) -> list[ShardedOperator]:
    """Return the sharded operators of a decoder's head, up to the chosen token."""
    model = task.model
    low, high = block.range_of(model.vocabulary_size)
    edges = low + bounds(high - low, task.tensor)
    outputs = Range(edges[:-1], edges[1:])
    rows = outputs.sizes
    operators = normed_input(task, at=HEAD, opens=block.opens)
    operators += [
        matrix_product(
            task,
            "logits",
            rows * model.hidden_size,
            computes=lambda: (_logits(task, outputs),),
        ),
        # A chip without rows names a candidate that cannot win.
        vector(
            task,
            "candidate",
            np.maximum(rows, 1),
            operations=2,
            passes=2,
            computes=lambda: (_candidate(task, block, outputs),),
        ),
    ]
    if block.closes:
        one = np.zeros(task.tensor, dtype=np.int64)
        one[0] = task.tensor
        candidate_bytes = np.full(
            task.tensor, CANDIDATE_BYTES * task.tokens, dtype=np.int64
        )
        operators += [
            Exchange(
                "candidates",
                Pattern.TO_LEADER,
                candidate_bytes,
                whole_group(task),
                carries=lambda: (candidates(task, block, block.last),),
            ),
            vector(
                task,
                "sample",
                one,
                operations=4,
                passes=2,
                computes=lambda: (_sampling(task),),
            ),
        ]
    return operators


def _logits(task: Task, outputs: Range) -> Operation:
    """Return the product of the normed input with each chip's rows of the head."""
    hidden = task.model.hidden_size
    held = hidden * (outputs.sizes > 0)
    reads = (
        operand(f"{HEAD}.input", 0, held),
        operand(f"{HEAD}.weight", *outputs, 0, hidden),
    )
    made = (operand(f"{HEAD}.logits", *outputs),)
    return Operation(f"{HEAD}.logits_product", Function.PRODUCT, reads, made)


def candidates(task: Task, block: Block, place: int) -> Operand:
    """Return each chip's best token among the parts of the vocabulary before `place`.

    A candidate is numbered by the chip that has it.
    """
    name = f"{HEAD}.candidates"
    member = task.group.members
    if place == block.parts:
        return operand(name, member, member + 1)
    _, high = block._replace(first=0, last=place).range_of(task.model.vocabulary_size)
    return operand(f"{name}@{place}", member, member + 1, 0, high)


def _candidate(task: Task, block: Block, outputs: Range) -> Operation:
    """Return the choice of each chip's largest logit."""
    reads = [operand(f"{HEAD}.logits", *outputs)]
    if not block.opens:
        reads.append(candidates(task, block, block.first))
    made = (candidates(task, block, block.last),)
    return Operation(f"{HEAD}.candidate", Function.CANDIDATE, tuple(reads), made)


def _sampling(task: Task) -> Operation:
    """Return the choice of the token among the candidates of all chips."""
    first = 0 * task.group.members
    first[0] = 1
    reads = (operand(f"{HEAD}.candidates", 0, first * task.tensor),)
    made = (operand(TOKEN, 0, first),)
    return Operation(f"{HEAD}.sample", Function.SAMPLE, reads, made)


def pooler(task: Task, block: Block) -> list[ShardedOperator]:
    """Return the sharded operators of an encoder's head: norm, and pool of one."""
    model = task.model
    shard = task.shard_sizes()
    low, high = block.range_of(model.head_rows)
    edges = low + bounds(high - low, task.tensor)
    outputs = Range(edges[:-1], edges[1:])
    rows = outputs.sizes
    first_bytes = bytes_of(task.activation_format, shard * task.batch)
    # Each chip keeps its shard of the states; only the first position is all-gathered.
    pooled_bytes = bytes_of(task.activation_format, rows * task.batch)
    one_each = task._replace(context=1)
    whole = np.full(task.tensor, model.hidden_size, dtype=np.int64)
    columns = task.group.shards(model.hidden_size)
    return [
        vector(
            task,
            "norm",
            shard,
            operations=3,
            operands=2,
            computes=lambda: (_weighing(task),),
        ),
        Exchange(
            "gather",
            Pattern.GATHER,
            first_bytes + task.norm_sum_bytes * task.tokens,
            whole_group(task),
            carries=lambda: (
                operand(f"{HEAD}.first_weighed", *columns),
                normed_shard(task, HEAD)[1],
            ),
        ),
        vector(
            task,
            "scale",
            shard,
            operations=2,
            computes=lambda: (scaling(task, HEAD, columns, f"{HEAD}.states"),),
        ),
        vector(
            one_each,
            "scale_first",
            whole,
            operations=2,
            computes=lambda: (_scaling_first(task, Range(0 * whole, whole)),),
        ),
        matrix_product(
            one_each,
            "pool",
            rows * model.hidden_size,
            computes=lambda: (_pooling(task, outputs),),
        ),
        # Bias and hyperbolic tangent.
        vector(
            one_each,
            "activate",
            rows,
            operations=7,
            computes=lambda: (_activating(outputs),),
        ),
        Exchange(
            "pooled",
            Pattern.TO_LEADER,
            pooled_bytes,
            whole_group(task),
            carries=lambda: (operand(f"{HEAD}.pooled", *outputs),),
        ),
    ]


def _weighing(task: Task) -> Operation:
    """Return the weighing of all states, which also gives those of first positions."""
    shard = task.group.shards(task.model.hidden_size)
    weighed = weighing(task, HEAD)
    first = operand(f"{HEAD}.first_weighed", *shard)
    return weighed._replace(writes=(*weighed.writes, first))


def _scaling_first(task: Task, whole: Range) -> Operation:
    """Return the norm's factor on the state of each sequence's first position."""
    scaled = scaling(task, HEAD, whole, f"{HEAD}.input")
    weighed = scaled.reads[0]._replace(value=f"{HEAD}.first_weighed")
    return scaled._replace(reads=(weighed, *scaled.reads[1:]))


def _pooling(task: Task, outputs: Range) -> Operation:
    """Return the product of first positions with each chip's rows of the pooler."""
    hidden = task.model.hidden_size
    held = hidden * (outputs.sizes > 0)
    reads = (
        operand(f"{HEAD}.input", 0, held),
        operand(f"{HEAD}.weight", *outputs, 0, hidden),
    )
    made = (operand(f"{HEAD}.projected", *outputs),)
    return Operation(f"{HEAD}.pool", Function.PRODUCT, reads, made)


def _activating(outputs: Range) -> Operation:
    """Return the bias and hyperbolic tangent of each chip's pooled rows."""
    reads = (
        operand(f"{HEAD}.projected", *outputs),
        operand(f"{HEAD}.bias", *outputs),
    )
    made = (operand(f"{HEAD}.pooled", *outputs),)
    return Operation(f"{HEAD}.activate", Function.ACTIVATE, reads, made)

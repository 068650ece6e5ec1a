"""What a block computes and exchanges, in order, with the cycles on each chip.

The residual stream lives in shards: each chip of a tensor group keeps its slice of it.
A block scales its shard by the norm's weights, gathers all shards (the sums of squares
ride along), computes, and scatters the partial results back onto the shards: one
all-reduce, cut in two by whatever lies between. Between two stages only a shard
travels.
"""

import numpy as np

from chip.operator_work import LookupWork
from sharding.operators.feed_forward import feed_forward
from sharding.operators.operator_builders import matrix_product, vector
from sharding.operators.operators import (
    Exchange,
    Pattern,
    ShardedOperator,
    Unit,
    compute,
)
from sharding.operators.residual_stream import normed_input, one_team, reduced_output
from sharding.parallelism.ranges import bounds, head_sizes
from sharding.transformer.blocks import Block, BlockKind
from sharding.transformer.task import FP32_BYTES, Task, bytes_of
from specs.arrays import Ints

# A candidate for the next token: its logit and its number.
_CANDIDATE_BYTES = 8
_TOKEN_BYTES = 4


def carried_bytes(task: Task, into: Block) -> Ints:
    """Return what each chip hands to its partner when a stage ends before `into`.

    Parameters
    ----------
    task
        The job.
    into
        First block of the next stage. Inside a feed-forward or head, the normed input
        travels beside what has been accumulated so far.

    Returns
    -------
    NDArray
        Bytes of each chip of the group, shape ``(width,)``.
    """
    if into.opens:
        ends = into.kind is BlockKind.HEAD
        return (task.answering() if ends else task).shard_bytes()
    if into.kind is BlockKind.FEED_FORWARD:
        return task.shard_bytes() + task.normed_shard_bytes(task.router_bytes())
    if into.kind is BlockKind.HEAD:
        return task.answering().normed_shard_bytes(_CANDIDATE_BYTES)
    return task.shard_bytes() + _TOKEN_BYTES * task.tokens


def token_bytes(task: Task) -> int:
    """Return what goes back to the first stage: the tokens just chosen."""
    return _TOKEN_BYTES * task.answering().tokens


def block_operators(task: Task, block: Block) -> list[ShardedOperator]:
    """Return what `block` computes and exchanges, in order."""
    if block.kind is BlockKind.ATTENTION:
        return _attention(task, block)
    if block.kind is BlockKind.FEED_FORWARD:
        return feed_forward(task, block)
    if block.kind is BlockKind.HEAD:
        pools = task.model.structure.encoder
        return _pooler(task, block) if pools else _head(task.answering(), block)
    return _embedding(task, block)


def _embedding(task: Task, block: Block) -> list[ShardedOperator]:
    model = task.model
    shard = task.shard_sizes() * task.tokens
    # A row of the vocabulary and, where the first part is, one of each other table.
    added = block.opens * ((model.position_rows > 0) + (model.token_types > 0))
    row_bytes = bytes_of(task.machine.formats.weights, shard * (1 + added))
    chip = task.machine.chip
    operators: list[ShardedOperator] = [
        compute("embed", Unit.LOOKUP, chip, LookupWork, row_bytes)
    ]
    if added:
        part = task.shard_sizes()
        operators.append(
            vector(
                task, "add_position", part, operations=added, operands=1 + int(added)
            )
        )
    return operators


def _attention(task: Task, block: Block) -> list[ShardedOperator]:
    model = task.model
    heads = task.group.heads(model.kv_heads, block.layer)
    # Where layers take turns, the others gather nothing and add nothing.
    only = heads.heads > 0 if task.group.alternating_groups > 1 else None
    group = model.attention_heads // model.kv_heads
    q_rows = head_sizes(heads, group * model.head_dim)
    kv_rows = head_sizes(heads, model.head_dim)
    # Members of a team share out the context of their head.
    positions = -(-task.cached_tokens(block) // heads.members)
    cache = heads.heads * model.head_dim * positions * task.batch
    # The newest positions are only being computed.
    older = np.maximum(positions - task.sequence_tokens, 0)
    ready = heads.heads * model.head_dim * older * task.batch
    scores = heads.heads * group * task.score_tokens(block, heads.members) * task.batch
    queried = heads.heads * group * model.head_dim * task.tokens
    cached = task.cached_format
    # What multiplies the keys and values of a sequence: each query head that shares
    # them, at each position that is computed together.
    queries = group * task.sequence_tokens
    # What lies beyond a query's position, or out of its window, does not meet it.
    masked = cache * queries - scores * model.head_dim
    operators = normed_input(task, opens=True, only=only)
    operators.append(
        matrix_product(task, "qkv", (q_rows + 2 * kv_rows) * model.hidden_size)
    )
    operators += _placed_heads(task, q_rows, kv_rows)
    shared = bool((heads.members > 1).any())
    # Whoever has no head has nobody to share it with.
    alone = model.kv_heads + task.group.members
    teams = np.where(heads.heads > 0, heads.first, alone)
    # The sums of squares of the heads that a chip has a slice of ride along.
    sums_bytes = FP32_BYTES * (group + 1) * model.structure.head_norms
    if shared:
        qkv = (q_rows + 2 * kv_rows) * task.tokens
        qkv_bytes = bytes_of(task.activation_format, qkv) + sums_bytes * task.tokens
        # Once there are more chips than heads, a head is a team.
        operators.append(Exchange("share_qkv", Pattern.GATHER, qkv_bytes, teams))
    if model.structure.head_norms:
        whole = heads.heads * (group + 1) * model.head_dim
        operators.append(vector(task, "head_scale", whole, operations=2))
    operators += [
        matrix_product(
            task,
            "scores",
            cache,
            inputs=queried,
            outputs=scores,
            batch=queries,
            stored=cached,
            ready=ready,
            masked=masked,
            tokens=1,
        ),
        # Largest score; exponentials and their sum; division.
        vector(task, "softmax", scores, operations=4, passes=3, tokens=1),
        matrix_product(
            task,
            "values",
            cache,
            inputs=scores,
            outputs=queried,
            batch=queries,
            stored=cached,
            ready=ready,
            masked=masked,
            tokens=1,
        ),
    ]
    if shared:
        # Beside its rows each part has the largest score and the sum of every head.
        part_bytes = bytes_of(task.activation_format, q_rows * task.tokens)
        part_bytes += 2 * FP32_BYTES * group * task.tokens
        combined = np.where(heads.members > 1, q_rows, 0)
        most = int(heads.members.max())
        operators += [
            Exchange("share_values", Pattern.SCATTER, part_bytes, teams),
            vector(task, "combine", combined, operations=3 * most, operands=most),
        ]
    operators.append(
        matrix_product(task, "output", q_rows * model.hidden_size, inputs=q_rows)
    )
    return operators + reduced_output(
        task,
        teams=one_team(task),
        summands=task.group.attention,
        post_norm=model.normalises_outputs,
        biased=model.output_biases,
        only=only,
    )


def _placed_heads(task: Task, q_rows: Ints, kv_rows: Ints) -> list[ShardedOperator]:
    """Return what happens to queries, keys and values before they meet."""
    model = task.model
    bias = 1 if model.qkv_biases else 0
    operators: list[ShardedOperator] = []
    if model.structure.head_norms:
        # Square, sum, and weigh; the root mean square of a head is known only when its
        # sums have met, and as a factor it may come after the rotation.
        operators.append(
            vector(task, "head_norm", q_rows + kv_rows, operations=3, operands=2)
        )
    if model.structure.learned_positions:
        if bias:
            biased = q_rows + 2 * kv_rows
            operators.append(
                vector(task, "qkv_bias", biased, operations=bias, operands=2)
            )
        return operators
    # Biases of queries and keys are one more link of the chain; values have no chain.
    placed = q_rows + (1 + bias) * kv_rows
    # A number, the one it turns with, cosine and sine; new keys are transposed.
    operators.append(
        vector(task, "rotary", placed, operations=6 + bias, operands=4, reorders=True)
    )
    return operators


def _head(task: Task, block: Block) -> list[ShardedOperator]:
    model = task.model
    low, high = block.range_of(model.vocabulary_size)
    rows = np.diff(bounds(high - low, task.tensor))
    operators = normed_input(task, opens=block.opens)
    operators += [
        matrix_product(task, "logits", rows * model.hidden_size),
        vector(task, "candidate", rows, operations=2, passes=2),
    ]
    if block.closes:
        one = np.zeros(task.tensor, dtype=np.int64)
        one[0] = task.tensor
        found = np.full(task.tensor, _CANDIDATE_BYTES * task.tokens, dtype=np.int64)
        operators += [
            Exchange("candidates", Pattern.TO_LEADER, found, one_team(task)),
            vector(task, "sample", one, operations=4, passes=2),
        ]
    return operators


def _pooler(task: Task, block: Block) -> list[ShardedOperator]:
    """Return how an encoder ends: all states normalised, the first one pooled."""
    model = task.model
    shard = task.shard_sizes()
    low, high = block.range_of(model.head_rows)
    rows = np.diff(bounds(high - low, task.tensor))
    first_bytes = bytes_of(task.activation_format, shard * task.batch)
    # Each chip keeps its shard of the states; the first position alone is gathered.
    pooled_bytes = bytes_of(task.activation_format, rows * task.batch)
    one_each = task._replace(context=1)
    whole = np.full(task.tensor, model.hidden_size, dtype=np.int64)
    return [
        vector(task, "norm", shard, operations=3),
        Exchange(
            "gather",
            Pattern.GATHER,
            first_bytes + task.norm_sum_bytes * task.tokens,
            one_team(task),
        ),
        vector(task, "scale", shard, operations=2),
        vector(one_each, "scale_first", whole, operations=2),
        matrix_product(one_each, "pool", rows * model.hidden_size),
        # Bias and hyperbolic tangent.
        vector(one_each, "activate", rows, operations=7),
        Exchange("pooled", Pattern.TO_LEADER, pooled_bytes, one_team(task)),
    ]

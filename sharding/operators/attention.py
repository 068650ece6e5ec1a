"""The operators of attention: whole heads, KV-head groups and alternating groups."""

import numpy as np

from sharding.operators.operator_builders import matrix_product, vector
from sharding.operators.operators import Exchange, Pattern, ShardedOperator
from sharding.operators.residual_stream import (
    normed_input,
    reduced_output,
    whole_group,
)
from sharding.parallelism.ranges import head_sizes
from sharding.transformer.blocks import Block
from sharding.transformer.task import FP32_BYTES, Task, bytes_of
from specs.arrays import Ints


def attention(task: Task, block: Block) -> list[ShardedOperator]:
    """Return the sharded operators of a layer's attention in order.

    With up to one chip per key/value head, chips hold whole heads and attention has no
    exchange of its own. The chips of a KV-head group all-gather the queries, keys and
    values of their head, each attends to its part of the context, and the partial
    values are reduce-scattered. With alternating groups, only one group of chips has
    heads in this layer.
    """
    model = task.model
    heads = task.group.heads(model.kv_heads, block.layer)
    # Chips outside the layer's alternating group neither receive nor contribute.
    only = heads.heads > 0 if task.group.alternating_groups > 1 else None
    group = model.attention_heads // model.kv_heads
    q_rows = head_sizes(heads, group * model.head_dim)
    kv_rows = head_sizes(heads, model.head_dim)
    # Members of a KV-head group share the context of their head.
    positions = -(-task.cached_tokens(block) // heads.members)
    cache = heads.heads * model.head_dim * positions * task.batch
    # Keys and values of the newest positions cannot be loaded before the product.
    older = np.maximum(positions - task.sequence_tokens, 0)
    ready = heads.heads * model.head_dim * older * task.batch
    scores = heads.heads * group * task.score_tokens(block, heads.members) * task.batch
    queried = heads.heads * group * model.head_dim * task.tokens
    cached = task.cached_format
    # Vectors that multiply the keys and values of a sequence: each query head that
    # shares them, at each position that is computed together.
    queries = group * task.sequence_tokens
    # The mask leaves out positions after a query and outside its window.
    masked = cache * queries - scores * model.head_dim
    operators = normed_input(task, opens=True, only=only)
    operators.append(
        matrix_product(task, "qkv", (q_rows + 2 * kv_rows) * model.hidden_size)
    )
    operators += _positioned_heads(task, q_rows, kv_rows)
    shared = bool((heads.members > 1).any())
    # A chip without heads is an exchange group of its own.
    alone = model.kv_heads + task.group.members
    teams = np.where(heads.heads > 0, heads.first, alone)
    # The sums of squares of the heads of a chip's slice travel with it.
    sums_bytes = FP32_BYTES * (group + 1) * model.structure.head_norms
    if shared:
        qkv = (q_rows + 2 * kv_rows) * task.tokens
        qkv_bytes = bytes_of(task.activation_format, qkv) + sums_bytes * task.tokens
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
        # Each part has its rows, and the largest score and the sum of every head.
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
        teams=whole_group(task),
        summands=task.group.attention,
        post_norm=model.normalises_outputs,
        biased=model.output_biases,
        only=only,
    )


def _positioned_heads(task: Task, q_rows: Ints, kv_rows: Ints) -> list[ShardedOperator]:
    """Return the vector operators on queries, keys and values before the scores.

    They are the norm of heads, the biases and the rotary position embedding.
    """
    model = task.model
    bias = 1 if model.qkv_biases else 0
    operators: list[ShardedOperator] = []
    if model.structure.head_norms:
        # Square, sum, and multiply by the weights. The root mean square of a head is
        # known only after its sums are exchanged; it is a factor, so it may be applied
        # after the rotation.
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
    # The bias is one more chained operation on queries and keys, and the only one on
    # values.
    placed = q_rows + (1 + bias) * kv_rows
    # The operands are a number, its partner in the rotation, cosine and sine; new keys
    # are transposed.
    operators.append(
        vector(task, "rotary", placed, operations=6 + bias, operands=4, reorders=True)
    )
    return operators

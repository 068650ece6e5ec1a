"""The operators of attention: whole heads, KV-head groups and alternating groups."""

import numpy as np

from sharding.operators.attention_regions import ATTENTION, AttentionRegions
from sharding.operators.operator_builders import matrix_product, vector
from sharding.operators.operators import Exchange, Pattern, ShardedOperator
from sharding.operators.partial_sums import PartialSum, reduced_output
from sharding.operators.residual_stream import (
    normed_input,
    whole_group,
)
from sharding.weights.blocks import Block
from sharding.weights.task import FP32_BYTES, Task, bytes_of


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
    regions = AttentionRegions(task, heads)
    # An encoder adds the output to its normed input, of which each chip has a shard.
    receives = None if model.structure.encoder else only
    operators = normed_input(task, at=ATTENTION, opens=True, only=receives)
    operators += _heads_of_input(task, regions)
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
            computes=regions.scoring,
        ),
        # Largest score; exponentials and their sum; division.
        vector(
            task,
            "softmax",
            scores,
            operations=4,
            passes=3,
            tokens=1,
            computes=regions.softmax,
        ),
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
            computes=regions.attending,
        ),
    ]
    if regions.shared:
        # Each part has its rows, and the largest score and the sum of every head.
        q_rows = regions.query.sizes
        part_bytes = bytes_of(task.activation_format, q_rows * task.tokens)
        part_bytes += (q_rows > 0) * (2 * FP32_BYTES * group * task.tokens)
        combined = np.where(heads.members > 1, q_rows, 0)
        most = int(heads.members.max())
        operators += [
            Exchange(
                "share_values",
                Pattern.SCATTER,
                part_bytes,
                regions.teams,
                carries=regions.attended_parts,
            ),
            vector(
                task,
                "combine",
                combined,
                operations=3 * most,
                operands=most,
                computes=regions.combining,
            ),
        ]
    q_rows = regions.query.sizes
    operators.append(
        matrix_product(
            task,
            "output",
            q_rows * model.hidden_size,
            inputs=q_rows,
            computes=regions.output,
        )
    )
    partial = PartialSum(
        block, ATTENTION, regions.query, ((0, model.query_size),), "output.bias"
    )
    return operators + reduced_output(
        task,
        partial,
        teams=whole_group(task),
        summands=task.group.attention,
        biased=model.output_biases,
    )


def _heads_of_input(task: Task, regions: AttentionRegions) -> list[ShardedOperator]:
    """Return the operators from the normed input to positioned queries and keys.

    A chip projects its slice of each head. The chips of a KV-head group all-gather
    their slices, because a rotation takes pairs that lie half a head apart.
    """
    model, heads = task.model, regions.heads
    q_rows, kv_rows = regions.query.sizes, regions.key.sizes
    group = model.attention_heads // model.kv_heads
    sliced = q_rows + 2 * kv_rows
    operators: list[ShardedOperator] = [
        matrix_product(
            task,
            "qkv",
            sliced * model.hidden_size,
            computes=regions.projecting,
        )
    ]
    # A bias is chained with the rotation unless something lies between the two.
    chained = model.qkv_biases and not (
        regions.shared
        or model.structure.head_norms
        or model.structure.learned_positions
    )
    if model.qkv_biases and not chained:
        operators.append(
            vector(task, "qkv_bias", sliced, operands=2, computes=regions.biasing)
        )
    if model.structure.head_norms:
        # Square, sum, and multiply by the weights. The root mean square of a head is
        # known only after its sums are exchanged; it is a factor, so it may be applied
        # after the rotation.
        operators.append(
            vector(
                task,
                "head_norm",
                q_rows + kv_rows,
                operations=3,
                operands=2,
                computes=regions.head_weighing,
            )
        )
    if regions.shared:
        # The sums of squares of the heads of a chip's slice travel with it.
        qkv_bytes = bytes_of(task.activation_format, sliced * task.tokens)
        if model.structure.head_norms:
            qkv_bytes += FP32_BYTES * regions.touched_heads * task.tokens
        operators.append(
            Exchange(
                "share_qkv",
                Pattern.GATHER,
                qkv_bytes,
                regions.teams,
                carries=regions.sliced,
            )
        )
    if not model.structure.learned_positions:
        # The bias is one more chained operation on queries and keys, and the only one
        # on values. The operands are a number, its partner in the rotation, cosine and
        # sine; new keys are transposed.
        placed = heads.heads * (group + 1 + chained) * model.head_dim
        operators.append(
            vector(
                task,
                "rotary",
                placed,
                operations=6 + chained,
                operands=4,
                reorders=True,
                computes=lambda: regions.positioning(chained=chained),
            )
        )
    if model.structure.head_norms:
        whole = heads.heads * (group + 1) * model.head_dim
        operators.append(
            vector(
                task, "head_scale", whole, operations=2, computes=regions.head_scaling
            )
        )
    return operators

"""Attention of an encoder: of all positions to each other, some queries at a time."""

from collections.abc import Sequence
from itertools import pairwise

from specs.element_view import Loop, View
from workloads.encoder_decoders.attention_parts import (
    attend,
    attention_output,
    by_columns,
    by_heads,
)
from workloads.encoder_decoders.stack_builder import Size, StackBuilder

# Elements of the scores of all heads that are computed together.
_MOST_SCORES = 8_000_000


def query_blocks(heads: int, positions: int) -> list[range]:
    """Return the positions of a workload whose queries are computed together.

    Blocks are as equal as they can be, and their scores at most 8 million elements.

    >>> query_blocks(20, 1500)[0], len(query_blocks(20, 1500))
    (range(0, 250), 6)
    """
    count = -(-heads * positions * positions // _MOST_SCORES)
    count = min(count, positions)
    edges = [positions * n // count for n in range(count + 1)]
    return [range(first, last) for first, last in pairwise(edges)]


def self_attention(
    builder: StackBuilder,
    layer: int,
    residual: str,
    positions: int,
    biases: Sequence[str],
) -> str:
    """Add the attention of all positions to each other; return the residual stream.

    Parameters
    ----------
    builder, layer
        The stack, and the layer.
    residual
        The residual stream before it, a row for each position.
    biases
        What is added to the scores of each block of queries; none without.
    """
    names, heads, size = builder.names, builder.heads, builder.head_dim
    prefix = builder.name(f"layers.{layer}.attention")
    normed = builder.norm(
        f"{prefix}.input",
        names.attention_norm.format(layer=layer),
        residual,
        positions,
    )
    biased, hidden = builder.model.structure.biased, builder.model.hidden_size
    query, key, value = (
        builder.projection(
            f"{prefix}.{kind}",
            stored.format(layer=layer),
            normed,
            Size(1, positions, builder.attended),
            inner=hidden,
            biased=biased and kind != "key",
        )
        for kind, stored in (
            ("query", names.query),
            ("key", names.key),
            ("value", names.value),
        )
    )
    keys = builder.rearrange(
        f"{prefix}.keys",
        [key],
        [by_columns(builder, positions)],
        Size(heads, size, positions),
    )
    values = builder.rearrange(
        f"{prefix}.values",
        [value],
        [by_heads(builder, range(positions))],
        Size(heads, positions, size),
    )
    contexts, views = [], []
    for number, rows in enumerate(query_blocks(heads, positions)):
        block = f"{prefix}.block{number}"
        queries = builder.rearrange(
            f"{block}.queries",
            [query],
            [by_heads(builder, rows)],
            Size(heads, len(rows), size),
        )
        contexts.append(
            attend(
                builder,
                block,
                operands=(queries, keys, values),
                scored=Size(heads, len(rows), positions),
                made=Size(heads, len(rows), size),
                bias=biases[number] if biases else None,
            )
        )
        loops = (
            Loop(size=len(rows), stride=size),
            Loop(size=heads, stride=len(rows) * size),
            Loop(size=size, stride=1),
        )
        views.append(View(loops=loops))
    context = builder.rearrange(
        f"{prefix}.context", contexts, views, Size(1, positions, builder.attended)
    )
    return attention_output(
        builder,
        prefix,
        stored=names.output.format(layer=layer),
        context=context,
        residual=residual,
        rows=positions,
    )

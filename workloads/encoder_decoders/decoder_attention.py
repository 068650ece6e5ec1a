"""Attention of a decoder: of a token to its cache, and to the other stack."""

from specs.element_view import Loop, View
from specs.graph import Role
from workloads.encoder_decoders.attention_parts import attend, attention_output
from workloads.encoder_decoders.cross_keys import cross_names
from workloads.encoder_decoders.stack_builder import Size, StackBuilder


def cached_attention(
    builder: StackBuilder, layer: int, residual: str, context: int, bias: str | None
) -> str:
    """Add the attention of a token to its cache, which it joins.

    The cache has the last `context` positions. The token takes the place of the oldest
    of them, so that only its own keys and values are moved.
    """
    names, heads, size = builder.names, builder.heads, builder.head_dim
    prefix = builder.name(f"layers.{layer}.attention")
    normed = builder.norm(
        f"{prefix}.input", names.attention_norm.format(layer=layer), residual, 1
    )
    biased, hidden = builder.model.structure.biased, builder.model.hidden_size
    one = Size(heads, 1, size)
    query, key, value = (
        builder.projection(
            f"{prefix}.{kind}",
            stored.format(layer=layer),
            normed,
            one,
            inner=hidden,
            biased=biased and kind != "key",
        )
        for kind, stored in (
            ("query", names.query),
            ("key", names.key),
            ("value", names.value),
        )
    )
    keys = builder.tensor(f"{prefix}.key_cache", Size(heads, size, context), Role.STATE)
    values = builder.tensor(
        f"{prefix}.value_cache", Size(heads, context, size), Role.STATE
    )
    # In turns: what the cache keeps, and the token's own.
    for cache, new, rows, turns in (
        (keys, key, Size(heads, size, context), heads * size),
        (values, value, Size(heads, context, size), heads),
    ):
        own = heads * size // turns
        views = [View(loops=(Loop(size=heads * size, stride=1),))]
        if context > 1:
            loops = (
                Loop(size=turns, stride=context * own),
                Loop(size=(context - 1) * own, stride=1),
            )
            views.insert(0, View(loops=loops, start=own))
        builder.rearrange(
            cache,
            [cache, new][-len(views) :],
            views,
            rows,
            turns=turns,
            role=Role.STATE,
            moved=heads * size,
        )
    attended = attend(
        builder,
        prefix,
        operands=(query, keys, values),
        scored=Size(heads, 1, context),
        made=Size(1, 1, builder.attended),
        bias=bias,
    )
    return attention_output(
        builder,
        prefix,
        stored=names.output.format(layer=layer),
        context=attended,
        residual=residual,
        rows=1,
    )


def cross_attention(
    builder: StackBuilder, layer: int, residual: str, positions: int
) -> str:
    """Add the attention of a token to the encoder's positions.

    Their keys and values are a state that it reads and does not change.
    """
    names, heads, size = builder.names, builder.heads, builder.head_dim
    prefix = builder.name(f"layers.{layer}.cross_attention")
    normed = builder.norm(
        f"{prefix}.input", names.cross_norm.format(layer=layer), residual, 1
    )
    query = builder.projection(
        f"{prefix}.query",
        names.cross_query.format(layer=layer),
        normed,
        Size(heads, 1, size),
        inner=builder.model.hidden_size,
        biased=builder.model.structure.biased,
    )
    keys, values = cross_names(layer)
    builder.tensor(keys, Size(heads, size, positions), Role.STATE)
    builder.tensor(values, Size(heads, positions, size), Role.STATE)
    attended = attend(
        builder,
        prefix,
        operands=(query, keys, values),
        scored=Size(heads, 1, positions),
        made=Size(1, 1, builder.attended),
        bias=None,
    )
    return attention_output(
        builder,
        prefix,
        stored=names.cross_output.format(layer=layer),
        context=attended,
        residual=residual,
        rows=1,
    )

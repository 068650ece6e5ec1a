"""The attention block: projections, positions, scores, values and the sum."""

from specs.numerical_settings import NumericalSettings
from workloads.attributes import (
    AttentionAttributes,
    HeadNormAttributes,
    PositionAttributes,
    ProductAttributes,
    Rotary,
)
from workloads.operator_graph import Block
from workloads.operators import Function
from workloads.transformer.block_builder import BlockBuilder, Transformer
from workloads.transformer.residual_stream import (
    reduced_output,
    scaled_input,
    weighed_input,
)


def rotary(settings: NumericalSettings, head_dim: int) -> Rotary:
    """Return the rotary position embedding that numerical settings describe."""
    dims = int(head_dim * settings.rotary_fraction)
    return Rotary(theta=settings.rope_theta, dims=dims, scaling=settings.rope_scaling)


def attention(
    transformer: Transformer, rotation: Rotary | None, *, post_norm: bool = False
) -> list[Block]:
    """Return a transformer graph's attention blocks, with and without a window.

    Parameters
    ----------
    transformer
        The transformer.
    rotation
        Rotation of queries and keys, None without.
    post_norm
        Whether the output is normalised before it is added to the residual.
    """
    model = transformer.model
    windowed = set(model.windowed_layers) if model.window_tokens else set()
    layers = range(model.layers)
    kinds = (
        (model.window_tokens, tuple(layer for layer in layers if layer in windowed)),
        (None, tuple(layer for layer in layers if layer not in windowed)),
    )
    return [
        _attention(transformer, layers_of_kind, window, rotation, post_norm)
        for window, layers_of_kind in kinds
        if layers_of_kind
    ]


def _attention(
    transformer: Transformer,
    layers: tuple[int, ...],
    window: int | None,
    rotation: Rotary | None,
    post_norm: bool,
) -> Block:
    model, rows = transformer.model, transformer.rows
    settings, encoder = model.numerical_settings, model.structure.encoder
    builder = BlockBuilder(transformer, "attention", layers)
    normed = scaled_input(builder, *weighed_input(builder))
    queries, keys, values = _heads(builder, normed, rotation)
    # Positions that at least one query of a sequence attends to.
    positions = rows.context
    if window is not None:
        positions = min(positions, window + rows.query_tokens - 1)
    # An encoder keeps nothing for a later iteration.
    caches = (
        [[], []]
        if encoder
        else [
            [builder.state(f"{kind}_cache", rows.batch * positions, model.kv_size)]
            for kind in ("key", "value")
        ]
    )
    attributes = AttentionAttributes(
        heads=model.attention_heads,
        kv_heads=model.kv_heads,
        head_dim=model.head_dim,
        scale=(settings.query_scalar or model.head_dim) ** -0.5,
        soft_cap=settings.attention_soft_cap,
        causal=not encoder,
        window=window,
    )
    per_head = model.attention_heads * rows.count
    (scores,) = builder.operator(
        "scores",
        Function.SCORES,
        [queries, keys, *caches[0]],
        {"scores": positions},
        attributes,
        rows=per_head,
    )
    (weights,) = builder.operator(
        "softmax", Function.SOFTMAX, [scores], {"weights": positions}, rows=per_head
    )
    (context,) = builder.operator(
        "attend",
        Function.VALUES,
        [weights, values, *caches[1]],
        {"context": model.query_size},
        attributes,
    )
    matrix = builder.weights("output.weight", model.hidden_size, model.query_size)
    (partial,) = builder.operator(
        "output_product",
        Function.PRODUCT,
        [context, matrix],
        {"partial": model.hidden_size},
        ProductAttributes(),
    )
    bias = model.output_biases or None
    output = reduced_output(
        builder,
        partial,
        bias=bias and builder.weights("output.bias", 1, model.hidden_size),
        post_norm=post_norm,
    )
    return builder.block(output)


def _heads(
    builder: BlockBuilder, normed: str, rotation: Rotary | None
) -> tuple[str, ...]:
    """Add all up to the scores; return queries, keys and values."""
    model = builder.transformer.model
    sizes = {"query": model.query_size, "key": model.kv_size, "value": model.kv_size}
    matrices = [
        builder.weights(f"{kind}.weight", size, model.hidden_size)
        for kind, size in sizes.items()
    ]
    query, key, value = builder.operator(
        "qkv", Function.PRODUCT, [normed, *matrices], sizes, ProductAttributes()
    )
    biases = [
        builder.weights(f"{kind}.bias", 1, size)
        for kind, size in sizes.items()
        if model.qkv_biases
    ]
    sizes = {"queries": sizes["query"], "keys": sizes["key"], "values": sizes["value"]}
    biased = bool(biases)
    if not model.structure.head_norms:
        return builder.operator(
            "position",
            Function.POSITION,
            [query, key, value, *biases],
            sizes,
            PositionAttributes(
                head_dim=model.head_dim, rotary=rotation, biased=(biased,) * 3
            ),
        )
    # Head norms come after the biases of queries and keys.
    norm = HeadNormAttributes(
        head_dim=model.head_dim,
        epsilon=model.numerical_settings.norm_epsilon,
        biased=biased,
    )
    norm_weights = [
        builder.weights(f"{kind}_norm.weight", 1, model.head_dim)
        for kind in ("query", "key")
    ]
    query, key, squares = builder.operator(
        "head_norm",
        Function.HEAD_NORM,
        [query, key, *norm_weights, *biases[:2]],
        {
            "query_weighed": model.query_size,
            "key_weighed": model.kv_size,
            "head_squares": model.attention_heads + model.kv_heads,
        },
        norm,
        wide=("head_squares",),
    )
    query, key, values = builder.operator(
        "position",
        Function.POSITION,
        [query, key, value, *biases[2:]],
        {
            "rotated_query": model.query_size,
            "rotated_key": model.kv_size,
            "values": model.kv_size,
        },
        PositionAttributes(
            head_dim=model.head_dim, rotary=rotation, biased=(False, False, biased)
        ),
    )
    queries, keys = builder.operator(
        "head_scale",
        Function.HEAD_SCALE,
        [query, key, squares],
        {"queries": model.query_size, "keys": model.kv_size},
        norm,
    )
    return queries, keys, values

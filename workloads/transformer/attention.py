"""The attention block: projections, positions, scores, values and the sum."""

from itertools import product

from specs.numerical_settings import NumericalSettings
from workloads.attributes import (
    AttentionAttributes,
    HeadNormAttributes,
    PositionAttributes,
    ProductAttributes,
)
from workloads.operator_graph import Block
from workloads.operators import Function
from workloads.rotary import Rotary
from workloads.transformer.block_builder import BlockBuilder, Transformer
from workloads.transformer.residual_stream import block_input, reduced_output


def rotary(
    settings: NumericalSettings,
    head_dim: int,
    *,
    windowed: bool = False,
    rotated: bool = True,
    interleaved: bool = False,
) -> Rotary:
    """Return the rotary position embedding that numerical settings describe.

    Parameters
    ----------
    settings, head_dim
        The settings, and the size of a head.
    windowed
        Whether it is of a layer with a window.
    rotated
        Whether the layer rotates at all.
    interleaved
        Whether pairs are neighbours.
    """
    dims = int(head_dim * settings.rotary_fraction) if rotated else 0
    if windowed and settings.local_rope_theta is not None:
        return Rotary(
            theta=settings.local_rope_theta, dims=dims, interleaved=interleaved
        )
    return Rotary(
        theta=settings.rope_theta,
        dims=dims,
        scaling=settings.rope_scaling,
        interleaved=interleaved,
    )


def attention(transformer: Transformer, *, post_norm: bool = False) -> list[Block]:
    """Return a transformer graph's attention blocks, one for each kind of layers.

    Layers differ in whether they have a window, and whether they rotate queries and
    keys.

    Parameters
    ----------
    transformer
        The transformer.
    post_norm
        Whether the output is normalised before it is added to the residual.
    """
    model = transformer.model
    family = model.structure
    windowed = set(model.windowed_layers) if model.window_tokens else set()
    turns = not (family.learned_positions or model.alibi)
    blocks = []
    for has_window, rotated in product((True, False), (True, False)):
        layers = tuple(
            layer
            for layer in range(model.layers)
            if not model.is_linear(layer)
            and (layer in windowed) == has_window
            and (layer not in model.unrotated_layers) == rotated
        )
        rotation = rotary(
            model.numerical_settings,
            model.head_dim,
            windowed=has_window,
            rotated=rotated and turns,
            interleaved=family.rotary_interleaved,
        )
        if layers:
            blocks.append(
                _attention(
                    transformer,
                    layers,
                    model.window_tokens if has_window else None,
                    # Nothing but biases, if there are any, precedes these scores.
                    None if family.learned_positions and model.qkv_biases else rotation,
                    post_norm,
                )
            )
    return blocks


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
    normed = block_input(builder)
    queries, keys, values, *gates = _heads(builder, normed, rotation)
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
    scale = (
        settings.attention_scale or (settings.query_scalar or model.head_dim) ** -0.5
    )
    attributes = AttentionAttributes(
        heads=model.attention_heads,
        kv_heads=model.kv_heads,
        head_dim=model.head_dim,
        scale=scale,
        soft_cap=settings.attention_soft_cap,
        causal=not encoder,
        window=window,
        chunked=window is not None and model.structure.chunked,
        alibi=(scale if model.structure.scaled_alibi else 1.0) * model.alibi,
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
    sinks = [
        builder.weights("sinks.weight", 1, model.attention_heads)
        for _ in range(model.structure.sinks)
    ]
    (weights,) = builder.operator(
        "softmax",
        Function.SOFTMAX,
        [scores, *sinks],
        {"weights": positions},
        rows=per_head,
    )
    (context,) = builder.operator(
        "attend",
        Function.VALUES,
        [weights, values, *caches[1]],
        {"context": model.query_size},
        attributes,
    )
    if gates:
        (context,) = builder.operator(
            "gate_output",
            Function.OUTPUT_GATE,
            [context, *gates],
            {"gated_context": model.query_size},
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
    """Add all up to the scores; return queries, keys, values, and gates if any."""
    model = builder.transformer.model
    sizes = {"query": model.query_size, "key": model.kv_size, "value": model.kv_size}
    if model.structure.output_gates:
        sizes["output_gate"] = model.query_size
    matrices = [
        builder.weights(f"{kind}.weight", size, model.hidden_size)
        for kind, size in sizes.items()
    ]
    query, key, value, *gates = builder.operator(
        "qkv", Function.PRODUCT, [normed, *matrices], sizes, ProductAttributes()
    )
    sizes.pop("output_gate", None)
    biases = [
        builder.weights(f"{kind}.bias", 1, size)
        for kind, size in sizes.items()
        if model.qkv_biases
    ]
    sizes = {"queries": sizes["query"], "keys": sizes["key"], "values": sizes["value"]}
    biased = bool(biases)
    rotated = rotation is not None and rotation.dims > 0
    weighted = model.structure.head_norms
    settings = model.numerical_settings
    grows = not rotated and settings.query_growth > 0
    if not weighted and not (model.plain_head_norms and rotated):
        placed = builder.operator(
            "position",
            Function.POSITION,
            [query, key, value, *biases],
            sizes,
            PositionAttributes(
                head_dim=model.head_dim,
                rotary=rotation,
                biased=(biased,) * 3,
                query_growth=settings.query_growth if grows else 0.0,
                growth_positions=settings.growth_positions if grows else 1,
            ),
        )
        return (*placed, *gates)
    # Head norms come after the biases of queries and keys.
    norm = HeadNormAttributes(
        head_dim=model.head_dim,
        epsilon=model.numerical_settings.norm_epsilon,
        biased=biased,
        weighted=weighted,
        unit_offset=model.structure.unit_offset,
        whole=model.structure.whole_head_norms,
    )
    norm_weights = [
        builder.weights(f"{kind}_norm.weight", 1, size if norm.whole else norm.head_dim)
        for kind, size in (("query", model.query_size), ("key", model.kv_size))
        if weighted
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
    return queries, keys, values, *gates

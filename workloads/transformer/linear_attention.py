"""The linear attention block: convolution, decay, delta rule and gated norm.

Instead of keys and values of all positions, a layer keeps what the last tokens put into
its convolution, and one matrix for each value head [1]_. A token costs the same at any
position.

References
----------
.. [1] S. Yang, J. Kautz and A. Hatamizadeh, "Gated Delta Networks: Improving Mamba2
   with Delta Rule", arXiv:2412.06464, section 3.
"""

from specs.linear_attention import LinearAttention
from workloads.attributes import LinearAttributes, ProductAttributes
from workloads.operator_graph import Block
from workloads.operators import Function
from workloads.transformer.block_builder import BlockBuilder, Transformer
from workloads.transformer.residual_stream import block_input, reduced_output

# Of the norm of queries and keys, whatever a config says of the others.
_UNIT_EPSILON = 1e-6
_KINDS = ("query", "key", "value")


def linear_attention(transformer: Transformer, linear: LinearAttention) -> Block:
    """Return a transformer graph's linear attention block, for the layers that have it.

    Parameters
    ----------
    transformer
        The transformer.
    linear
        Sizes of its heads.
    """
    model, rows = transformer.model, transformer.rows
    layers = tuple(n for n in range(model.layers) if model.is_linear(n))
    builder = BlockBuilder(transformer, "attention", layers)
    projected = _projected(builder, linear, block_input(builder))
    plain = LinearAttributes(linear=linear)
    mixed = _convolved(builder, linear, projected[:3])
    queries, keys = builder.operator(
        "unit_norm",
        Function.UNIT_NORM,
        mixed[:2],
        {"queries": linear.key_size, "keys": linear.key_size},
        LinearAttributes(linear=linear, epsilon=_UNIT_EPSILON),
    )
    gate, write, decay = projected[3:]
    vectors = [
        builder.weights(f"decay{kind}", 1, linear.value_heads)
        for kind in ("_rate.weight", ".bias")
    ]
    written, kept = builder.operator(
        "decay",
        Function.DECAY,
        [write, decay, *vectors],
        {"written": linear.value_heads, "kept": linear.value_heads},
        wide=("written", "kept"),
    )
    state = builder.recurrent_state(
        "delta_state", rows.batch * linear.key_dim, linear.value_size, wide=True
    )
    (recalled,) = builder.operator(
        "delta_rule",
        Function.DELTA_RULE,
        [queries, keys, mixed[2], written, kept, state],
        {"recalled": linear.value_size},
        plain,
    )
    norm = builder.weights("output_norm.weight", 1, linear.value_dim)
    (context,) = builder.operator(
        "gated_norm",
        Function.GATED_NORM,
        [recalled, gate, norm],
        {"context": linear.value_size},
        LinearAttributes(linear=linear, epsilon=model.numerical_settings.norm_epsilon),
    )
    matrix = builder.weights("output.weight", model.hidden_size, linear.value_size)
    (partial,) = builder.operator(
        "output_product",
        Function.PRODUCT,
        [context, matrix],
        {"partial": model.hidden_size},
        ProductAttributes(),
    )
    return builder.block(reduced_output(builder, partial))


def _projected(
    builder: BlockBuilder, linear: LinearAttention, normed: str
) -> tuple[str, ...]:
    """Add the projections; return queries, keys, values, gates, writes and decays."""
    sizes = {
        "query": linear.key_size,
        "key": linear.key_size,
        "value": linear.value_size,
        "output_gate": linear.value_size,
        "write": linear.value_heads,
        "decay": linear.value_heads,
    }
    hidden = builder.transformer.model.hidden_size
    matrices = [
        builder.weights(f"{kind}.weight", n, hidden) for kind, n in sizes.items()
    ]
    return builder.operator(
        "qkv", Function.PRODUCT, [normed, *matrices], sizes, ProductAttributes()
    )


def _convolved(
    builder: BlockBuilder, linear: LinearAttention, projected: tuple[str, ...]
) -> list[str]:
    """Add the causal convolution; return queries, keys and values as it makes them."""
    sizes = dict(
        zip(_KINDS, (linear.key_size, linear.key_size, linear.value_size), strict=True)
    )
    kernels = [
        builder.weights(f"{kind}_kernel.weight", size, linear.kernel)
        for kind, size in sizes.items()
    ]
    tail = builder.transformer.rows.batch * (linear.kernel - 1)
    states = [
        builder.recurrent_state(f"{kind}_state", tail, size)
        for kind, size in sizes.items()
    ]
    return [
        *builder.operator(
            "convolve",
            Function.CONVOLVE,
            [*projected, *kernels, *states],
            {f"mixed_{kind}": size for kind, size in sizes.items()},
            LinearAttributes(linear=linear),
        )
    ]

"""Feed-forward of a layer of an encoder or a decoder, with or without a gate."""

from workloads.encoder_decoders.stack_builder import Size, StackBuilder


def feed_forward(builder: StackBuilder, layer: int, residual: str, rows: int) -> str:
    """Add a workload's feed-forward; return the residual stream behind it.

    Parameters
    ----------
    builder, layer
        The stack, and the layer.
    residual, rows
        The residual stream before it, and its rows.
    """
    model, names, hidden = builder.model, builder.names, builder.model.hidden_size
    prefix = builder.name(f"layers.{layer}.feed_forward")
    normed = builder.norm(
        f"{prefix}.input",
        names.feed_forward_norm.format(layer=layer),
        residual,
        rows,
    )
    wide = Size(1, rows, builder.inner)
    biased = model.structure.biased
    gate = None
    if model.gated:
        gate = builder.projection(
            f"{prefix}.gate",
            names.gate.format(layer=layer),
            normed,
            wide,
            inner=hidden,
            biased=biased,
            function=model.activation,
        )
    activated = builder.projection(
        f"{prefix}.up",
        (names.gated_up if gate else names.up).format(layer=layer),
        normed,
        wide,
        inner=hidden,
        biased=biased,
        gate=gate,
        function=None if gate else model.activation,
    )
    return builder.projection(
        f"{prefix}.output",
        names.down.format(layer=layer),
        activated,
        Size(1, rows, hidden),
        inner=builder.inner,
        biased=biased,
        residual=residual,
    )

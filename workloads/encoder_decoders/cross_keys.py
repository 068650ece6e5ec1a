"""Cross keys and values: what the encoder leaves, and the decoder attends to."""

from specs.graph import Role
from workloads.encoder_decoders.attention_parts import by_columns, by_heads
from workloads.encoder_decoders.stack_builder import Size, StackBuilder


def cross_names(layer: int) -> tuple[str, str]:
    """Return the names of the cross keys and values of a layer in both workloads."""
    return f"cross.layers.{layer}.keys", f"cross.layers.{layer}.values"


def cross_keys_and_values(
    builder: StackBuilder, layer: int, states: str, positions: int
) -> None:
    """Add the keys and values that a layer of the decoder attends to, as results.

    Parameters
    ----------
    builder
        Builder of the encoder's pass, with the names and heads of the decoder.
    layer
        Layer of the decoder.
    states
        States of the encoder behind its last norm.
    """
    names, heads, size = builder.names, builder.heads, builder.head_dim
    prefix = f"cross.layers.{layer}"
    stored = {"key": names.cross_key, "value": names.cross_value}
    views = {
        "key": by_columns(builder, positions),
        "value": by_heads(builder, range(positions)),
    }
    sizes = {
        "key": Size(heads, size, positions),
        "value": Size(heads, positions, size),
    }
    for kind, result in zip(("key", "value"), cross_names(layer), strict=True):
        made = builder.projection(
            f"{prefix}.{kind}",
            stored[kind].format(layer=layer),
            states,
            Size(1, positions, builder.attended),
            inner=builder.model.hidden_size,
            biased=builder.model.structure.biased and kind == "value",
        )
        builder.rearrange(result, [made], [views[kind]], sizes[kind], role=Role.OUTPUT)

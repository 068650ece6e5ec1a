"""A token of a decoder with cross attention, from its number to the logits."""

from specs.encoder_decoders.shape import EncoderDecoder
from specs.graph import Operator, Role, Tensor
from workloads.encoder_decoders.decoder_attention import (
    cached_attention,
    cross_attention,
)
from workloads.encoder_decoders.feed_forward import feed_forward
from workloads.encoder_decoders.relative_positions import bias_of_distances
from workloads.encoder_decoders.stack_builder import Size, StackBuilder

TOKEN, POSITION, LOGITS = "decoder.token", "decoder.position", "decoder.logits"


def decoder_token(
    model: EncoderDecoder, context: int, positions: int
) -> tuple[tuple[Tensor, ...], tuple[Operator, ...]]:
    """Return the workload of one token of a decoder.

    Its states are the cache of the last positions, which it joins, and the cross keys
    and values, which it only reads. Its result are the logits.

    Parameters
    ----------
    model
        The model.
    context
        Positions that the token attends to, itself included.
    positions
        Positions of the encoder.
    """
    builder = StackBuilder(model, "decoder")
    names, hidden = builder.names, model.hidden_size
    one = Size(1, 1, 1)
    tables = {f"{names.embedding}.weight": model.vocabulary_size}
    index = [builder.tensor(TOKEN, one, Role.INPUT)]
    bias = None
    if model.structure.relative_positions:
        bias = bias_of_distances(
            builder, "decoder.bias_of_distances", range(1 - context, 1)
        )
    else:
        tables[f"{names.positions}.weight"] = model.max_decoder_positions
        index.append(builder.tensor(POSITION, one, Role.INPUT))
    stored = [builder.weights(name, rows, hidden) for name, rows in tables.items()]
    residual = builder.lookup("decoder.embedded", stored, index)
    for layer in range(model.decoder_layers):
        residual = cached_attention(builder, layer, residual, context, bias)
        residual = cross_attention(builder, layer, residual, positions)
        residual = feed_forward(builder, layer, residual, 1)
    normed = builder.norm("decoder.normed", names.final_norm, residual, 1)
    # A head that is the table of tokens is a copy of it, as a product takes it.
    head = builder.weights(f"{names.head}.weight", hidden, model.vocabulary_size)
    logits = builder.tensor(LOGITS, Size(1, 1, model.vocabulary_size), Role.OUTPUT)
    builder.product("decoder.head", normed, head, logits, Size(1, 1, 1))
    return builder.graph()

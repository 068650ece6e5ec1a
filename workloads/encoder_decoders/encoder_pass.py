"""The pass of an encoder: from tokens or a sound to what a decoder attends to."""

from specs.element_view import Axis, Loop, View
from specs.encoder_decoders.shape import KERNEL, EncoderDecoder
from specs.graph import Operator, Role, Tensor
from specs.vector_functions import VectorFunction
from workloads.encoder_decoders.cross_keys import cross_keys_and_values
from workloads.encoder_decoders.encoder_attention import query_blocks, self_attention
from workloads.encoder_decoders.feed_forward import feed_forward
from workloads.encoder_decoders.relative_positions import bias_of_distances
from workloads.encoder_decoders.stack_builder import Size, StackBuilder

TOKENS, FEATURES = "encoder.tokens", "encoder.features"
# The second convolution takes every second place.
_STRIDE = 2


def encoder_pass(
    model: EncoderDecoder, positions: int
) -> tuple[tuple[Tensor, ...], tuple[Operator, ...]]:
    """Return the workload of an encoder's pass over all positions of an input.

    Its results are the cross keys and values of each layer of the decoder.

    Parameters
    ----------
    model
        The model.
    positions
        Positions of the encoder: tokens, or half as many as a sound has moments.
    """
    builder = StackBuilder(model, "encoder")
    if model.structure.audio:
        residual = _heard(builder, positions)
    else:
        tokens = builder.tensor(TOKENS, Size(1, positions, 1), Role.INPUT)
        tables = [_embedding(builder)]
        residual = builder.lookup("encoder.embedded", tables, [tokens])
    biases = _biases(builder, positions) if model.structure.relative_positions else []
    for layer in range(model.encoder_layers):
        residual = self_attention(builder, layer, residual, positions, biases)
        residual = feed_forward(builder, layer, residual, positions)
    states = builder.norm(
        "encoder.states", builder.names.final_norm, residual, positions
    )
    builder.turn_to("decoder")
    for layer in range(model.decoder_layers):
        cross_keys_and_values(builder, layer, states, positions)
    return builder.graph()


def _embedding(builder: StackBuilder) -> str:
    """Return the table of tokens."""
    model = builder.model
    return builder.weights(
        f"{builder.names.embedding}.weight", model.vocabulary_size, model.hidden_size
    )


def _heard(builder: StackBuilder, positions: int) -> str:
    """Add the convolutions over a sound, and the rows of its positions."""
    model, names = builder.model, builder.names
    hidden, moments = model.hidden_size, _STRIDE * positions
    given = builder.tensor(FEATURES, Size(1, moments, model.mel_bins), Role.INPUT)
    for number, (stored, rows, channels, stride) in enumerate(
        (
            (names.first_convolution, moments, model.mel_bins, 1),
            (names.second_convolution, positions, hidden, _STRIDE),
        )
    ):
        name = f"encoder.convolution{number}"
        # Each row has the three moments around it, zeros beyond the ends.
        window = View(
            loops=(
                Loop(size=rows, stride=stride, axis=0),
                Loop(size=KERNEL, stride=1, axis=0),
                Loop(size=channels, stride=1),
            ),
            axes=(Axis(size=moments, stride=channels, start=-(KERNEL // 2)),),
        )
        windows = builder.rearrange(
            f"{name}.windows", [given], [window], Size(1, rows, KERNEL * channels)
        )
        given = builder.projection(
            name,
            stored,
            windows,
            Size(1, rows, hidden),
            inner=KERNEL * channels,
            biased=True,
            function=VectorFunction.GELU,
        )
    table = builder.weights(
        f"{names.positions}.weight", model.max_encoder_positions, hidden
    )
    size = Size(1, positions, hidden)
    if positions < model.max_encoder_positions:
        view = View(loops=(Loop(size=positions * hidden, stride=1),))
        table = builder.rearrange("encoder.positions", [table], [view], size)
    return builder.vector("encoder.placed", VectorFunction.ADD, [given, table], size)


def _biases(builder: StackBuilder, positions: int) -> list[str]:
    """Add the biases of scores of each block of queries, for all layers."""
    heads, whole = builder.heads, 2 * positions - 1
    by_distance = bias_of_distances(
        builder, "encoder.bias_of_distances", range(1 - positions, positions)
    )
    biases = []
    for number, rows in enumerate(query_blocks(heads, positions)):
        view = View(
            loops=(
                Loop(size=heads, stride=whole),
                # A query one further has all keys one nearer.
                Loop(size=len(rows), stride=-1),
                Loop(size=positions, stride=1),
            ),
            start=positions - 1 - rows.start,
        )
        biases.append(
            builder.rearrange(
                f"encoder.bias{number}",
                [by_distance],
                [view],
                Size(heads, len(rows), positions),
            )
        )
    return biases

"""Names that a checkpoint gives the tensors of an encoder or a decoder."""

from typing import final

from specs.validation import Spec


@final
class StackNames(Spec):
    """Names of the tensors of one stack, without ``.weight`` and ``.bias``.

    ``{layer}`` in a name stands for the layer; a part that a stack does not have is
    empty.

    Parameters
    ----------
    embedding, positions
        Tables of tokens and of positions.
    first_convolution, second_convolution
        Convolutions over the features of a sound.
    relative
        Table of what is added to scores by distance, which all layers share.
    attention_norm, query, key, value, output
        Attention of a stack to its own positions.
    cross_norm, cross_query, cross_key, cross_value, cross_output
        Attention of a decoder to the positions of the encoder.
    feed_forward_norm, up, down
        Feed-forward.
    gate, gated_up
        Its projections if it multiplies one by the other.
    final_norm
        Norm behind the last layer.
    head
        Projection onto the vocabulary, if it is no table of tokens.
    """

    embedding: str = ""
    positions: str = ""
    first_convolution: str = ""
    second_convolution: str = ""
    relative: str = ""
    attention_norm: str
    query: str
    key: str
    value: str
    output: str
    cross_norm: str = ""
    cross_query: str = ""
    cross_key: str = ""
    cross_value: str = ""
    cross_output: str = ""
    feed_forward_norm: str
    up: str
    down: str
    gate: str = ""
    gated_up: str = ""
    final_norm: str
    head: str = ""

"""Shape of an encoder-decoder: its sizes, and its parameter counts."""

from typing import Self, final

from pydantic import Field, model_validator

from specs.encoder_decoders.family import (
    EncoderDecoderFamily,
    load_encoder_decoder_family,
)
from specs.validation import Spec
from specs.vector_functions import VectorFunction

# Places of a convolution.
KERNEL = 3
# Exact and shared rows of relative positions, of each side.
_BUCKET_PARTS = 4


@final
class EncoderDecoder(Spec):
    """Sizes of an encoder, and of the decoder that attends to its states.

    Parameters
    ----------
    name
        Name in tables.
    family
        ``model_type`` of the config, one of `specs.encoder_decoders.family`.
    hidden_size
        Width of both residual streams, in elements.
    vocabulary_size
        Rows of the table of tokens.
    encoder_layers, decoder_layers, encoder_heads, decoder_heads
        Layers of each stack, and heads of its attention.
    head_dim
        Elements of a head; None if all heads have the width of the residual stream.
    encoder_intermediate_size, decoder_intermediate_size
        Width of the feed-forwards.
    gated
        Whether a feed-forward multiplies its activations by a second projection.
    activation
        Its function.
    norm_epsilon
        Number that is added to the mean square or variance of a norm.
    max_encoder_positions, max_decoder_positions
        Positions of each stack: rows of its table, or those of the training.
    tied_embeddings
        Whether the head is the table of tokens.
    buckets, max_distance
        Rows of the table of relative positions, and the distance from which all are
        one; 0 without.
    mel_bins
        Features of a sound at each moment, 0 of a model of texts.
    remarks
        What a reader of the config should know of how it was read. No part of a dump.
    """

    name: str
    family: str
    hidden_size: int = Field(gt=0)
    vocabulary_size: int = Field(gt=0)
    encoder_layers: int = Field(gt=0)
    decoder_layers: int = Field(gt=0)
    encoder_heads: int = Field(gt=0)
    decoder_heads: int = Field(gt=0)
    head_dim: int | None = Field(default=None, gt=0)
    encoder_intermediate_size: int = Field(gt=0)
    decoder_intermediate_size: int = Field(gt=0)
    gated: bool = False
    activation: VectorFunction
    norm_epsilon: float = Field(gt=0)
    max_encoder_positions: int = Field(gt=0)
    max_decoder_positions: int = Field(gt=0)
    tied_embeddings: bool
    buckets: int = Field(default=0, ge=0)
    max_distance: int = Field(default=0, ge=0)
    mel_bins: int = Field(default=0, ge=0)
    remarks: tuple[str, ...] = Field(default=(), exclude=True)

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        for stack in ("encoder", "decoder"):
            heads = getattr(self, f"{stack}_heads")
            if self.head_dim is None and self.hidden_size % heads:
                raise ValueError(
                    f"hidden_size {self.hidden_size} is no multiple of {stack}_heads "
                    f"{heads}"
                )
        return self

    @model_validator(mode="after")
    def _buckets_have_a_scale(self) -> Self:
        # Half of an encoder's buckets are of each side, and half of those exact.
        rows, most = self.buckets, self.max_distance
        whole = rows > 0 and rows % _BUCKET_PARTS == 0
        if self.structure.relative_positions and not (whole and most > rows // 2):
            raise ValueError(
                f"{self.buckets} buckets up to distance {self.max_distance}: there "
                "must be a multiple of 4, and the distance must be beyond half of them"
            )
        return self

    @property
    def structure(self) -> EncoderDecoderFamily:
        """Return the structure that the model shares with its family."""
        return load_encoder_decoder_family(self.family)

    def head_size(self, heads: int) -> int:
        """Return the elements of a head in a stack with so many."""
        return self.head_dim or self.hidden_size // heads

    @property
    def parameters(self) -> int:
        """Return the parameter count; a head that is a table counts once."""
        family, hidden = self.structure, self.hidden_size
        norm = hidden * (2 if family.layer_norms else 1)
        tables = self.vocabulary_size * (2 - self.tied_embeddings) * hidden
        if family.relative_positions:
            tables += self.buckets * (self.encoder_heads + self.decoder_heads)
        else:
            tables += hidden * (self.max_encoder_positions + self.max_decoder_positions)
        front = 0
        if family.audio:
            front = hidden * (KERNEL * (self.mel_bins + hidden) + 2)
        encoder = self._attention(self.encoder_heads) + norm
        encoder += self._feed_forward(self.encoder_intermediate_size) + norm
        decoder = 2 * (self._attention(self.decoder_heads) + norm)
        decoder += self._feed_forward(self.decoder_intermediate_size) + norm
        layers = self.encoder_layers * encoder + self.decoder_layers * decoder
        return tables + front + layers + 2 * norm

    @property
    def active_parameters(self) -> int:
        """Return the parameters that a text uses: all, since there are no experts."""
        return self.parameters

    @property
    def kv_elements(self) -> int:
        """Return the elements that a position of the decoder adds to its KV cache."""
        size = self.decoder_heads * self.head_size(self.decoder_heads)
        return 2 * self.decoder_layers * size

    @property
    def cross_elements(self) -> int:
        """Return the elements of cross keys and values, of the longest input.

        A token reads them, and none are added.
        """
        return self.kv_elements * self.max_encoder_positions

    def _attention(self, heads: int) -> int:
        """Return the parameters of four projections; those of keys have no bias."""
        size = heads * self.head_size(heads)
        biases = (2 * size + self.hidden_size) * self.structure.biased
        return 4 * self.hidden_size * size + biases

    def _feed_forward(self, inner: int) -> int:
        """Return the parameters of a feed-forward."""
        weights = (2 + self.gated) * self.hidden_size * inner
        return weights + (inner + self.hidden_size) * self.structure.biased

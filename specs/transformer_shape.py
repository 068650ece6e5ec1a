"""Shape of a transformer: its sizes, and what follows for single layers."""

from typing import Self

from pydantic import Field, model_validator

from specs.block_order import BlockOrder
from specs.bounds import MOST_OF_MODEL
from specs.families.catalogue import load_family
from specs.families.family import Family
from specs.formats import Format
from specs.latent_attention import LatentAttention
from specs.linear_attention import LinearAttention
from specs.model_formats import ModelFormats, WeightGroup
from specs.numerical_settings import NumericalSettings, default_settings
from specs.router import SOFTMAX_ROUTER, RouterSpec
from specs.validation import Spec


class TransformerShape(Spec):
    """Sizes of a transformer, decoder or encoder.

    Parameters
    ----------
    name
        Name in tables.
    family
        ``model_type`` of the config, one of `specs.families.catalogue`.
    hidden_size, intermediate_size
        Width of the residual stream and of the feed-forward, in elements.
    layers
        Number of decoder or encoder blocks.
    attention_heads, kv_heads, head_dim
        Query heads, key/value heads (fewer = grouped-query attention), and elements of
        one head.
    vocabulary_size
        Rows of the embedding.
    tied_embeddings
        Whether the output head is the embedding itself.
    experts, experts_per_token
        Feed-forwards per layer, and those of them that a token uses; 1 and 1 if dense.
    expert_intermediate_size
        Width of one expert, 0 if it is `intermediate_size`.
    shared_intermediate_size
        Width of the shared expert, which every token uses, 0 without.
    shared_expert_gate
        Whether its output is multiplied by a sigmoid of a score of its own.
    expert_layers
        Layers that have experts, None if all have; the others are dense.
    router
        How the router weighs the experts of a token.
    max_context_tokens
        Positions that the model was trained for.
    qkv_biases, output_biases, feed_forward_biases
        Whether projections add a bias: to query, key and value; out of attention;
        within the feed-forward.
    head_biases
        Whether a bias is added to the logits.
    position_rows, token_types
        Rows of the tables that are added to the embedding, 0 without a table.
    window_tokens, windowed_layers
        Positions that the listed layers attend to; the others attend to all.
    plain_head_norms
        Whether queries and keys of layers that rotate them are normalised by heads,
        without weights.
    unrotated_layers
        Layers without rotation of queries and keys, in a family that rotates them.
    block_order
        Whether the feed-forward of a layer takes the same input as its attention.
    alibi
        Whether scores fall with the distance of a position; then nothing is rotated.
    latent
        Sizes of latent attention, None if keys and values are cached as they are.
        `kv_heads` and `head_dim` are then those of its queries.
    linear, linear_layers
        Sizes of linear attention, None without it, and the layers that have it. The
        others attend to all positions.
    numerics
        Numerical settings, those of the family if None. No size follows from them, so
        they are no part of a dump.
    remarks
        What a reader of the config should know of how it was read: the part that was
        used, and sizes that it does not state. No part of a dump, either.
    formats, kv_cache
        Formats of the weights of a quantised checkpoint, and of the KV cache that it is
        made for; the machine's if None. Neither is a part of a dump.
    """

    name: str
    family: str
    hidden_size: int = Field(gt=0)
    intermediate_size: int = Field(gt=0)
    layers: int = Field(gt=0)
    attention_heads: int = Field(gt=0)
    kv_heads: int = Field(gt=0)
    head_dim: int = Field(gt=0)
    vocabulary_size: int = Field(gt=0)
    tied_embeddings: bool
    experts: int = Field(gt=0)
    experts_per_token: int = Field(gt=0)
    expert_intermediate_size: int = Field(default=0, ge=0)
    shared_intermediate_size: int = Field(default=0, ge=0)
    shared_expert_gate: bool = False
    expert_layers: tuple[int, ...] | None = None
    router: RouterSpec = SOFTMAX_ROUTER
    max_context_tokens: int = Field(gt=0)
    qkv_biases: bool = False
    output_biases: bool = False
    feed_forward_biases: bool = False
    head_biases: bool = False
    position_rows: int = Field(default=0, ge=0)
    token_types: int = Field(default=0, ge=0)
    window_tokens: int | None = Field(default=None, gt=0)
    windowed_layers: tuple[int, ...] = ()
    plain_head_norms: bool = False
    unrotated_layers: tuple[int, ...] = ()
    block_order: BlockOrder = BlockOrder.SEQUENTIAL
    alibi: bool = False
    latent: LatentAttention | None = None
    linear: LinearAttention | None = None
    linear_layers: tuple[int, ...] = ()
    numerics: NumericalSettings | None = Field(default=None, exclude=True)
    remarks: tuple[str, ...] = Field(default=(), exclude=True)
    formats: ModelFormats | None = Field(default=None, exclude=True)
    kv_cache: Format | None = Field(default=None, exclude=True)

    @model_validator(mode="after")
    def _heads_and_experts_divide(self) -> Self:
        if self.attention_heads % self.kv_heads:
            raise ValueError(
                f"{self.attention_heads} query heads cannot share "
                f"{self.kv_heads} key/value heads evenly"
            )
        if self.experts_per_token > self.experts:
            raise ValueError(
                f"a token cannot use {self.experts_per_token} of {self.experts} experts"
            )
        if self.experts % self.router.groups:
            raise ValueError(
                f"{self.experts} experts cannot form {self.router.groups} groups of "
                "equal size"
            )
        reachable = self.experts // self.router.groups * self.router.groups_per_token
        if self.experts_per_token > reachable:
            raise ValueError(
                f"a token cannot use {self.experts_per_token} of the {reachable} "
                f"experts in {self.router.groups_per_token} groups"
            )
        return self

    @model_validator(mode="after")
    def _sizes_are_those_of_a_model(self) -> Self:
        for name, most in MOST_OF_MODEL.items():
            if (getattr(self, name) or 0) > most:
                raise ValueError(f"{name} {getattr(self, name)} must be at most {most}")
        return self

    @model_validator(mode="after")
    def _heads_are_of_the_latent(self) -> Self:
        latent = self.latent
        if latent is None:
            return self
        if self.kv_heads != self.attention_heads or self.head_dim != latent.head_dim:
            raise ValueError(
                f"latent attention has a key for each of {self.attention_heads} heads "
                f"of {latent.head_dim} elements, but kv_heads is {self.kv_heads} and "
                f"head_dim {self.head_dim}"
            )
        if self.qkv_biases or self.output_biases or self.window_tokens:
            raise ValueError("biases or a window of latent attention are not modelled")
        return self

    @model_validator(mode="after")
    def _layers_are_linear_or_attend(self) -> Self:
        if self.structure.output_gates and (self.qkv_biases or self.output_biases):
            raise ValueError("biases of attention with output gates are not modelled")
        if bool(self.linear_layers) != (self.linear is not None):
            raise ValueError(
                "linear attention needs its sizes, and layers that have it"
            )
        if self.linear is None:
            return self
        if self.latent is not None or self.window_tokens or self.unrotated_layers:
            raise ValueError(
                "linear attention beside latents, windows or layers without rotation "
                "is not modelled"
            )
        kept = tuple(n for n in self.linear_layers if n < self.layers)
        if len(kept) == self.layers:
            raise ValueError(
                f"all {self.layers} layers have linear attention, which alone is not "
                "modelled; give as many layers as reach one of full attention"
            )
        return self

    @property
    def query_size(self) -> int:
        """Return the number of elements of all query heads."""
        return self.attention_heads * self.head_dim

    @property
    def kv_size(self) -> int:
        """Return the number of elements of all key heads, the same as of all values."""
        return self.kv_heads * self.head_dim

    @property
    def context_size(self) -> int:
        """Return the number of elements of all value heads that attention mixes."""
        if self.latent is not None:
            return self.attention_heads * self.latent.value_dim
        return self.query_size

    @property
    def cached_size(self) -> int:
        """Return the elements that the KV cache has of a position in a layer."""
        if self.latent is not None:
            return self.latent.cached_size
        return 2 * self.kv_size

    @property
    def structure(self) -> Family:
        """Return the structure that the model shares with its family."""
        return load_family(self.family)

    @property
    def numerical_settings(self) -> NumericalSettings:
        """Return the numerical settings, those of the family if none are given."""
        return self.numerics or default_settings(self.family)

    @property
    def norms_per_layer(self) -> int:
        """Return the number of normalisations in one layer."""
        return self.structure.norms_per_layer - self.block_order.shares_norm

    @property
    def normalises_outputs(self) -> bool:
        """Return whether each block normalises its output before it is added."""
        return self.structure.normalises_outputs

    def is_linear(self, layer: int) -> bool:
        """Return whether the attention of `layer` is linear: a state, not a cache."""
        return layer in self.linear_layers

    @property
    def attending_layers(self) -> int:
        """Return the number of layers that attend to earlier positions, in a cache."""
        return sum(not self.is_linear(layer) for layer in range(self.layers))

    def attended_tokens(self, layer: int, context: int) -> int:
        """Return the number of positions that a token attends to in `layer`."""
        if self.is_linear(layer):
            return 0
        if self.window_tokens is None or layer not in self.windowed_layers:
            return context
        return min(context, self.window_tokens)

    def has_experts(self, layer: int) -> bool:
        """Return whether the feed-forward of `layer` is of experts."""
        listed = self.expert_layers
        return self.experts > 1 and (listed is None or layer in listed)

    def experts_in(self, layer: int) -> int:
        """Return the number of feed-forwards in `layer`, without a shared one."""
        return self.experts if self.has_experts(layer) else 1

    def inner_size(self, layer: int) -> int:
        """Return the width of a feed-forward in `layer`, or of one of its experts."""
        own = self.expert_intermediate_size if self.has_experts(layer) else 0
        return own or self.intermediate_size

    def shared_size(self, layer: int) -> int:
        """Return the width of the shared expert in `layer`, 0 without."""
        return self.shared_intermediate_size if self.has_experts(layer) else 0

    def feed_forward_like(self, layer: int) -> int:
        """Return the first layer with a feed-forward of the same sizes as another."""
        own = self._feed_forward_kind(layer)
        return next(n for n in range(layer + 1) if self._feed_forward_kind(n) == own)

    def layer_like(self, layer: int) -> int:
        """Return the first layer that has the same sizes and operators as `layer`."""
        own = self.attention_kind(layer)
        return next(n for n in range(layer + 1) if self.attention_kind(n) == own)

    def attention_kind(self, layer: int) -> tuple[object, ...]:
        """Return what the attention of a layer has that not all have.

        It is a window, no rotation, a state instead of a cache, or number formats.
        """
        return (
            layer in self.windowed_layers,
            layer in self.unrotated_layers,
            self.is_linear(layer),
            self.formats and self.formats.of(WeightGroup.ATTENTION, layer),
        )

    def _feed_forward_kind(self, layer: int) -> tuple[object, ...]:
        """Return whether a layer has experts, and formats of its own."""
        own = self.formats.at_layer(layer) if self.formats else ()
        return self.has_experts(layer), own

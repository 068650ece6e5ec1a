"""Transformer families: the structure that a ``model_type`` of a config implies."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, final

from pydantic import Field

from specs.block_order import BlockOrder
from specs.families.config_keys import ConfigKeys
from specs.families.tensor_names import TensorNames
from specs.router import SOFTMAX_ROUTER, RouterSpec
from specs.validation import Spec


@final
class NormPlacement(StrEnum):
    """The places of the norms of a layer.

    BEFORE
        The input of each block is normalised.
    AROUND
        So is its output, before it is added to the residual.
    BEHIND
        The output of each block is normalised before it is added to the residual, and
        its input is not.
    RESIDUAL
        The sum of residual and output is normalised, and is the next residual.
    """

    BEFORE = "before"
    AROUND = "around"
    BEHIND = "behind"
    RESIDUAL = "residual"


@final
class Family(Spec):
    """Structure that all models of a family share, and how their configs say the rest.

    The values below are those of llama, the family that most others follow.

    Parameters
    ----------
    source
        Configuration class that the defaults are of, and its version.
    extends
        Family from which this one takes all that its own file does not say, but for
        `source` and `defaults`, which every class has of its own.
    norms
        Places of the norms of a layer.
    layer_norms
        Whether norms are LayerNorms, which subtract a mean and add a bias; otherwise
        they only divide by the root mean square.
    norm_biases
        Whether a LayerNorm has a bias.
    block_order
        Input of the feed-forward of a layer, if no key says that it is another.
    unit_offset
        Whether a norm multiplies by 1 plus its weight instead of by its weight.
    gated
        Whether the feed-forward multiplies its activations by a gate.
    biased
        Whether every projection has a bias, independent of the config.
    feed_forward_biased, head_biased
        Whether projections of the feed-forward and of the head have one.
    qkv_biased
        Whether query, key and value projections have a bias, independent of the config.
    router
        How a router weighs the experts of a token, where the config does not say it.
    shared_expert_gate
        Whether the output of the shared expert is multiplied by a sigmoid of a
        projection of the token.
    weighs_inputs
        Whether what enters an expert is multiplied by its weight, not what leaves it.
    chunked
        Whether a window is a chunk: positions attend within their own one.
    head_norms
        Whether each query and key head is normalised.
    output_gates
        Whether what each query head attends to is multiplied by a sigmoid of a
        projection of the token.
    full_period
        Number of layers of which the last has full attention, in a family with linear
        attention, where the config does not say it.
    sinks
        Whether each query head has a score that takes part in the softmax, of no
        position.
    whole_head_norms
        Whether that norm is over all heads together, with a weight for each element.
    normed_embedding
        Whether rows of the embedding are normalised before the first layer.
    scaled_embedding
        Whether rows of the embedding are multiplied by the root of their size.
    learned_positions
        Whether positions are rows of a table; otherwise query and key are rotated.
    alibi
        Whether scores fall with the distance of a position, independent of the config.
    scaled_alibi
        Whether what they fall by is scaled as the scores are.
    rotary_interleaved
        Whether the rotation pairs neighbours instead of halves of a head.
    first_position, unnumbered_positions
        Row of that table for the first token, and rows that the config does not count.
    encoder
        Whether all positions are computed at once and attend to each other.
    widening
        Size of the feed-forward over that of the residual stream if the config's is
        null; 0 if it cannot be.
    rotates_in_windows
        Whether only layers with a window rotate queries and keys.
    rotates_without_window
        Whether all layers do if none has a window.
    window_period
        Number of layers of which the last has no window and the others have one, in a
        model with a window; 0 if all have it.
    trained_positions
        Positions of the training, if configs need not say it; 0 if they must.
    requires
        Values of keys without which a model has another structure, which is not
        modelled. A value that begins with ``=`` is that of another key.
    defaults
        Value of each key that may be left out of a config.
    numerics
        Numerical settings that no key states.
    rope_scaling
        Scaling of the rotary frequencies of a config that has no table of them.
    keys
        Names of the keys.
    tensors
        Names of the tensors in a checkpoint.
    """

    source: str = ""
    extends: str | None = None
    norms: NormPlacement = NormPlacement.BEFORE
    layer_norms: bool = False
    norm_biases: bool = True
    block_order: BlockOrder = BlockOrder.SEQUENTIAL
    unit_offset: bool = False
    gated: bool = True
    biased: bool = False
    feed_forward_biased: bool = False
    head_biased: bool = False
    qkv_biased: bool = False
    router: RouterSpec = SOFTMAX_ROUTER
    shared_expert_gate: bool = False
    weighs_inputs: bool = False
    chunked: bool = False
    head_norms: bool = False
    output_gates: bool = False
    full_period: int = Field(default=0, ge=0)
    sinks: bool = False
    whole_head_norms: bool = False
    normed_embedding: bool = False
    scaled_embedding: bool = False
    learned_positions: bool = False
    alibi: bool = False
    scaled_alibi: bool = False
    rotary_interleaved: bool = False
    first_position: int = Field(default=0, ge=0)
    unnumbered_positions: int = Field(default=0, ge=0)
    encoder: bool = False
    widening: int = Field(default=0, ge=0)
    rotates_in_windows: bool = False
    rotates_without_window: bool = False
    window_period: int = Field(default=0, ge=0)
    trained_positions: int = Field(default=0, ge=0)
    requires: Mapping[str, Any] = Field(default_factory=dict)
    defaults: Mapping[str, Any] = Field(default_factory=dict)
    numerics: Mapping[str, Any] = Field(default_factory=dict)
    rope_scaling: Mapping[str, Any] = Field(default_factory=dict)
    keys: ConfigKeys = ConfigKeys()
    tensors: TensorNames = TensorNames()

    @property
    def has_latents(self) -> bool:
        """Return whether attention is latent attention."""
        return bool(self.keys.latent_kv_rank)

    @property
    def has_linear_layers(self) -> bool:
        """Return whether layers may have linear attention."""
        return bool(self.keys.linear_key_heads)

    @property
    def normalises_inputs(self) -> bool:
        """Return whether the input of each block is normalised."""
        return self.norms is not NormPlacement.BEHIND

    @property
    def normalises_outputs(self) -> bool:
        """Return whether each block normalises its output before it is added."""
        return self.norms in (NormPlacement.AROUND, NormPlacement.BEHIND)

    @property
    def norms_per_layer(self) -> int:
        """Return the number of normalisations of the residual stream in one layer."""
        return 4 if self.norms is NormPlacement.AROUND else 2

"""Families of encoder-decoders: the structure that a ``model_type`` implies."""

from collections.abc import Mapping
from functools import cache
from typing import Any, final

from pydantic import Field

from specs.encoder_decoders.stack_names import StackNames
from specs.errors import SpecError, nearest
from specs.shipped_files import shipped_names, shipped_path
from specs.validation import Spec, build, read_mapping

FOLDER = "encoder_decoders"


@final
class EncoderDecoderFamily(Spec):
    """Structure that all encoder-decoders of a family share.

    Norms are before each block, and behind the last layer of each stack.

    Parameters
    ----------
    source
        Configuration class that the defaults are of, and its version.
    layer_norms
        Whether norms are LayerNorms with biases; otherwise they only divide by the root
        mean square.
    biased
        Whether projections have biases, but for those of keys.
    scaled_scores
        Whether scores are divided by the root of the size of a head.
    audio
        Whether the encoder takes features of a sound, through two convolutions of three
        places, the second of which halves their number; otherwise tokens.
    relative_positions
        Whether scores of a stack's own positions have a bias by their distance;
        otherwise rows of a table are added to the input of each stack.
    requires
        Values of keys without which a model has another structure, which is not
        modelled.
    defaults
        Value of each key that may be left out of a config.
    keys
        Name of the key of each size.
    encoder, decoder
        Names of tensors.
    """

    source: str
    layer_norms: bool
    biased: bool
    scaled_scores: bool
    audio: bool
    relative_positions: bool
    requires: Mapping[str, Any] = Field(default_factory=dict)
    defaults: Mapping[str, Any]
    keys: Mapping[str, str]
    encoder: StackNames
    decoder: StackNames


@cache
def encoder_decoder_families() -> tuple[str, ...]:
    """Return the names of the families of encoder-decoder specs, sorted."""
    return shipped_names(FOLDER, ".toml")


@cache
def load_encoder_decoder_family(name: str) -> EncoderDecoderFamily:
    """Return a family of encoder-decoder specs by its ``model_type``.

    Raises
    ------
    SpecError
        If there is no such family, or its file has an unknown key or a wrong value.
    """
    if name not in encoder_decoder_families():
        known = encoder_decoder_families()
        raise SpecError(
            f"no family {name!r} of encoder-decoders; {nearest(name, known)}"
        )
    path = shipped_path(FOLDER, f"{name}.toml")
    return build(EncoderDecoderFamily, read_mapping(path), f"{name}.toml")

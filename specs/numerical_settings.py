"""Numerical settings of a transformer: those that change its values, not its sizes."""

from collections.abc import Mapping
from typing import Any, final

from pydantic import Field

from specs.errors import SpecError
from specs.validation import Spec, build


@final
class RopeScaling(Spec):
    """Scaling of the rotary frequencies, for contexts beyond those of the training.

    Parameters
    ----------
    kind
        ``rope_type`` of the config, such as ``linear`` or ``llama3``.
    factor
        Factor by which wavelengths grow.
    low_frequency_factor, high_frequency_factor
        Multiples of the trained wavelengths between which ``llama3`` interpolates.
    trained_positions
        Positions of the training without scaling.
    """

    kind: str
    factor: float = Field(default=1.0, gt=0)
    low_frequency_factor: float = Field(default=1.0, gt=0)
    high_frequency_factor: float = Field(default=4.0, gt=0)
    trained_positions: int = Field(default=8192, gt=0)


@final
class NumericalSettings(Spec):
    """Numerical settings of a model.

    Parameters
    ----------
    norm_epsilon
        Number added to the mean square, or to the variance, of a normalisation.
    activation
        Activation of the feed-forward, as Hugging Face names it.
    rope_theta
        Base of the rotary frequencies.
    rotary_fraction
        Part of each head that is rotated.
    rope_scaling
        Scaling of the rotary frequencies, None without.
    query_scalar
        Scores are divided by its square root; the size of a head if None.
    attention_soft_cap, final_soft_cap
        Bound of the scores and of the logits, None without.
    """

    norm_epsilon: float = Field(default=1e-6, ge=0)
    activation: str = "silu"
    rope_theta: float = Field(default=10_000.0, gt=0)
    rotary_fraction: float = Field(default=1.0, gt=0, le=1)
    rope_scaling: RopeScaling | None = None
    query_scalar: float | None = Field(default=None, gt=0)
    attention_soft_cap: float | None = Field(default=None, gt=0)
    final_soft_cap: float | None = Field(default=None, gt=0)


_ENCODER = NumericalSettings(norm_epsilon=1e-12, activation="gelu")
# Those of the configuration classes in Hugging Face transformers, where they differ.
_OF_FAMILY = {
    "bert": _ENCODER,
    "gemma2": NumericalSettings(
        activation="gelu_pytorch_tanh",
        query_scalar=256,
        attention_soft_cap=50,
        final_soft_cap=30,
    ),
    "gpt2": NumericalSettings(norm_epsilon=1e-5, activation="gelu_new"),
    "mixtral": NumericalSettings(norm_epsilon=1e-5, rope_theta=1_000_000),
    "phi3": NumericalSettings(norm_epsilon=1e-5),
    "roberta": _ENCODER,
}
# Keys that may set each field; the first one that is there does.
_KEYS = {
    "norm_epsilon": ("rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon"),
    "activation": ("hidden_activation", "hidden_act", "activation_function"),
    "rope_theta": ("rope_theta",),
    "rotary_fraction": ("partial_rotary_factor",),
    "query_scalar": ("query_pre_attn_scalar",),
    "attention_soft_cap": ("attn_logit_softcapping",),
    "final_soft_cap": ("final_logit_softcapping",),
}
_MAY_BE_NULL = ("attention_soft_cap", "final_soft_cap")
_ONLY_GEMMA2 = ("query_scalar", *_MAY_BE_NULL)
_SCALING_KEYS = {
    "factor": "factor",
    "low_frequency_factor": "low_freq_factor",
    "high_frequency_factor": "high_freq_factor",
    "trained_positions": "original_max_position_embeddings",
}
# What a scaling that does not give its kind is called; it cannot be computed.
_UNNAMED = "unnamed"


def default_settings(family: str) -> NumericalSettings:
    """Return the numerical settings of a `family` whose config gives none."""
    return _OF_FAMILY.get(family, NumericalSettings())


def numerical_settings_of(
    content: Mapping[str, Any], family: str, origin: str = "config"
) -> NumericalSettings:
    """Return the numerical settings that a Hugging Face configuration states.

    Parameters
    ----------
    content
        Content of ``config.json``.
    family
        Its ``model_type``, which decides what an absent key means.
    origin
        Origin of the content, for messages.

    Raises
    ------
    SpecError
        If a setting is no number or out of range.
    """
    # Since version 5 of transformers, what concerns rotation is a table of its own.
    rope = content.get("rope_parameters")
    flat = {**content, **rope} if isinstance(rope, Mapping) else content
    settings = default_settings(family).model_dump()
    for field, keys in _KEYS.items():
        if field in _ONLY_GEMMA2 and family != "gemma2":
            continue
        key = next((key for key in keys if key in flat), None)
        if key and (flat[key] is not None or field in _MAY_BE_NULL):
            settings[field] = flat[key]
    scaling = rope if isinstance(rope, Mapping) else content.get("rope_scaling")
    settings["rope_scaling"] = _rope_scaling(scaling, origin)
    return build(NumericalSettings, settings, origin)


def _rope_scaling(table: Any, origin: str) -> dict[str, Any] | None:
    """Return the fields of a scaling, or None if frequencies are not scaled."""
    if table is None:
        return None
    if not isinstance(table, Mapping):
        raise SpecError(f"{origin}: rope_scaling = {table!r}: must be a table or null")
    kind = table.get("rope_type", table.get("type", _UNNAMED))
    if kind == "default":
        return None
    known = {field: table.get(key) for field, key in _SCALING_KEYS.items()}
    given = {field: value for field, value in known.items() if value is not None}
    return {"kind": kind, **given}

"""Numerical settings of a transformer: those that change its values, not its sizes."""

from collections.abc import Mapping
from functools import cache
from typing import Any, final

from pydantic import Field

from specs.config_values import Config, text_part
from specs.errors import SpecError
from specs.families.catalogue import FAMILIES
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


# Fields that a config reads by the keys of its family, and those that null may clear.
_READ = (
    "norm_epsilon",
    "activation",
    "rope_theta",
    "rotary_fraction",
    "query_scalar",
    "attention_soft_cap",
    "final_soft_cap",
)
_MAY_BE_NULL = ("attention_soft_cap", "final_soft_cap")
_SCALING_KEYS = {
    "factor": "factor",
    "low_frequency_factor": "low_freq_factor",
    "high_frequency_factor": "high_freq_factor",
    "trained_positions": "original_max_position_embeddings",
}
# What a scaling that does not give its kind is called; it cannot be computed.
_UNNAMED = "unnamed"


@cache
def default_settings(family: str) -> NumericalSettings:
    """Return the numerical settings of a `family` whose config gives none."""
    return numerical_settings_of({}, family)


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
    text = text_part(content, origin)
    rope = text.get("rope_parameters")
    flat = {**text, **rope} if isinstance(rope, Mapping) else text
    config = Config(flat, FAMILIES[family], origin)
    settings: dict[str, Any] = {}
    for field in _READ:
        _, value = config.value(field)
        if value is None and field not in _MAY_BE_NULL:
            value = config.default(field)
        if value is not None:
            settings[field] = value
    scaling = rope if isinstance(rope, Mapping) else text.get("rope_scaling")
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

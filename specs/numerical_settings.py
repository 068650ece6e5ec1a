"""Numerical settings of a transformer: those that change its values, not its sizes."""

from collections.abc import Mapping
from functools import cache
from typing import Any, final

from pydantic import Field

from specs.config_values import (
    FULL_ATTENTION,
    WINDOWED_ATTENTION,
    Config,
    text_part,
)
from specs.errors import SpecError
from specs.families.catalogue import FAMILIES
from specs.families.family import Family
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
    fast_turns, slow_turns
        Turns within the trained positions between which ``yarn`` interpolates: pairs
        that turn more often are not scaled.
    whole_pairs
        Whether ``yarn`` rounds both to whole pairs.
    magnitude, magnitude_of_all
        How queries and keys grow under ``yarn``: what is rotated, and all of them.
    rotated_factor
        Factor of what is rotated under ``yarn``; None if it follows from the others.
    """

    kind: str
    factor: float = Field(default=1.0, gt=0)
    low_frequency_factor: float = Field(default=1.0, gt=0)
    high_frequency_factor: float = Field(default=4.0, gt=0)
    trained_positions: int = Field(default=8192, gt=0)
    fast_turns: float = Field(default=32.0, gt=0)
    slow_turns: float = Field(default=1.0, gt=0)
    whole_pairs: bool = True
    magnitude: float = Field(default=0.0, ge=0)
    magnitude_of_all: float = Field(default=0.0, ge=0)
    rotated_factor: float | None = Field(default=None, gt=0)


@final
class NumericalSettings(Spec):
    """Numerical settings of a model.

    Parameters
    ----------
    norm_epsilon
        Number added to the mean square, or to the variance, of a normalisation.
    activation
        Activation of the feed-forward, as Hugging Face names it.
    gate_alpha
        Factor of a gate within its sigmoid, where the activation is ``silu``.
    gate_limit
        Largest value of a gate, and largest magnitude of what it multiplies, None
        without a limit.
    gate_offset
        Number that is added to what a gate multiplies.
    rope_theta
        Base of the rotary frequencies.
    query_growth, growth_positions
        Growth of queries in layers without rotation: at position p, from 0, they are
        multiplied by 1 plus `query_growth` times the logarithm of 1 plus the whole part
        of (p + 1) / `growth_positions`.
    local_rope_theta
        Base of those frequencies in layers with a window, which are not scaled; None if
        they are as in the other layers.
    rotary_fraction
        Part of each head that is rotated.
    rope_scaling
        Scaling of the rotary frequencies, None without.
    query_scalar
        Scores are divided by its square root; the size of a head if None.
    attention_scale
        Factor of the scores; None if `query_scalar` gives it.
    embedding_scale, residual_scale
        Factors of looked-up rows, and of what each block adds to the residual.
    logits_divisor
        Divisor of the logits.
    attention_soft_cap, final_soft_cap
        Bound of the scores and of the logits, None without.
    """

    norm_epsilon: float = Field(default=1e-6, ge=0)
    activation: str = "silu"
    gate_alpha: float = Field(default=1.0, gt=0)
    gate_limit: float | None = Field(default=None, gt=0)
    gate_offset: float = 0.0
    rope_theta: float = Field(default=10_000.0, gt=0)
    query_growth: float = Field(default=0.0, ge=0)
    growth_positions: int = Field(default=8192, gt=0)
    local_rope_theta: float | None = Field(default=None, gt=0)
    rotary_fraction: float = Field(default=1.0, gt=0, le=1)
    rope_scaling: RopeScaling | None = None
    query_scalar: float | None = Field(default=None, gt=0)
    attention_scale: float | None = Field(default=None, gt=0)
    embedding_scale: float = Field(default=1.0, gt=0)
    residual_scale: float = Field(default=1.0, gt=0)
    logits_divisor: float = Field(default=1.0, gt=0)
    attention_soft_cap: float | None = Field(default=None, gt=0)
    final_soft_cap: float | None = Field(default=None, gt=0)


# Fields that a config reads by the keys of its family, and those that null may clear.
_READ = (
    "norm_epsilon",
    "activation",
    "gate_alpha",
    "gate_limit",
    "rope_theta",
    "query_growth",
    "growth_positions",
    "local_rope_theta",
    "rotary_fraction",
    "query_scalar",
    "attention_scale",
    "embedding_scale",
    "residual_scale",
    "logits_divisor",
    "attention_soft_cap",
    "final_soft_cap",
)
_MAY_BE_NULL = ("attention_soft_cap", "final_soft_cap")
_SCALING_KEYS = {
    "factor": "factor",
    "low_frequency_factor": "low_freq_factor",
    "high_frequency_factor": "high_freq_factor",
    "trained_positions": "original_max_position_embeddings",
    "fast_turns": "beta_fast",
    "slow_turns": "beta_slow",
    "whole_pairs": "truncate",
    "magnitude": "mscale",
    "magnitude_of_all": "mscale_all_dim",
    "rotated_factor": "attention_factor",
}
# Positions of text are the same in all sections of a multimodal rotation.
_UNSCALED = ("default", "mrope")
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
    rope = _rope_table(text.get("rope_parameters"), FAMILIES[family], origin)
    config = Config({**text, **(rope or {})}, FAMILIES[family], origin)
    settings: dict[str, Any] = dict(FAMILIES[family].numerics)
    for field in _READ:
        _, value = config.value(field)
        if value is None and field not in _MAY_BE_NULL:
            value = config.default(field)
        if value is not None:
            settings[field] = value
    factor = config.value("logits_factor")[1]
    if factor is not None:
        settings["logits_divisor"] = _inverse(config, factor)
    if config.value("rotary_dims")[1] is not None:
        settings["rotary_fraction"] = _rotated_part(config)
    if not config.flag("query_growth_used", otherwise=True):
        settings["query_growth"] = 0.0
    scaling = text.get("rope_scaling") if rope is None else rope
    if scaling is None:
        scaling = FAMILIES[family].rope_scaling or None
    settings["rope_scaling"] = _rope_scaling(scaling, origin)
    return build(NumericalSettings, settings, origin)


def _inverse(config: Config, factor: Any) -> float:
    """Return the divisor that a factor of the logits is."""
    if type(factor) not in (int, float) or not factor > 0:
        key, _ = config.value("logits_factor")
        raise SpecError(f"{config.origin}: {key} = {factor!r}: must be above 0")
    return 1 / float(factor)


def _rotated_part(config: Config) -> float:
    """Return the part of a head that so many elements are, a little more than these."""
    size = config.size("hidden_size") // config.size("attention_heads")
    return min(1.0, (config.size("rotary_dims") + 0.5) / size)


def _rope_table(table: Any, family: Family, origin: str) -> dict[str, Any] | None:
    """Return the rotation of a config in one table, None if it has none.

    Some configs have a table for each kind of layers.
    """
    if not isinstance(table, Mapping):
        return None
    full, local = table.get(FULL_ATTENTION), table.get(WINDOWED_ATTENTION)
    if not isinstance(full, Mapping) or not isinstance(local, Mapping):
        return dict(table)
    if _rope_scaling(local, origin) is not None:
        raise SpecError(
            f"{origin}: rope_parameters.{WINDOWED_ATTENTION} are scaled, which is not "
            "modelled; only those of the other layers may be"
        )
    found = dict(full)
    if "rope_theta" in local:
        found |= dict.fromkeys(family.keys.local_rope_theta, local["rope_theta"])
    return found


def _rope_scaling(table: Any, origin: str) -> dict[str, Any] | None:
    """Return the fields of a scaling, or None if frequencies are not scaled."""
    if table is None:
        return None
    if not isinstance(table, Mapping):
        raise SpecError(f"{origin}: rope_scaling = {table!r}: must be a table or null")
    kind = table.get("rope_type", table.get("type", _UNNAMED))
    if kind in _UNSCALED:
        return None
    known = {field: table.get(key) for field, key in _SCALING_KEYS.items()}
    given = {field: value for field, value in known.items() if value is not None}
    return {"kind": kind, **given}

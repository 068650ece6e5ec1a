"""Kinds of layers in a Hugging Face configuration: windows, and layers unrotated."""

from typing import Any

from specs.config_values import (
    CHUNKED_ATTENTION,
    FULL_ATTENTION,
    WINDOWED_ATTENTION,
    Config,
)
from specs.errors import SpecError


def window_of(config: Config, layers: int) -> dict[str, Any]:
    """Return the width of a model spec's sliding window and the layers that have it."""
    if config.family.has_linear_layers:
        # What has no linear attention attends to all positions.
        return {}
    kinds = _kinds_of_layers(config, layers)
    used = config.flag("window_used", otherwise=True)
    if not used or config.value("window_tokens")[1] is None:
        return {}
    if kinds is not None:
        windowed = tuple(i for i, kind in enumerate(kinds) if kind != FULL_ATTENTION)
    elif config.family.chunked:
        unrotated = unrotated_of(config, layers).get("unrotated_layers", ())
        windowed = tuple(layer for layer in range(layers) if layer not in unrotated)
    else:
        windowed = _windowed_layers(config, layers)
    tokens = config.size("window_tokens")
    return {"window_tokens": tokens, "windowed_layers": windowed} if windowed else {}


def _kinds_of_layers(config: Config, layers: int) -> list[str] | None:
    """Return the kind of each layer of a model spec, None if its config lists none."""
    key, kinds = config.value("layer_types")
    if kinds is None:
        return None
    if not isinstance(kinds, list) or len(kinds) != layers:
        raise SpecError(
            f"{config.origin}: {key} must list the kind of each of {layers} layers"
        )
    windowed = CHUNKED_ATTENTION if config.family.chunked else WINDOWED_ATTENTION
    for kind in kinds:
        if kind not in (windowed, FULL_ATTENTION):
            raise SpecError(
                f"{config.origin}: {key} has {kind!r}, which is not modelled; only "
                f"{windowed} and {FULL_ATTENTION} are"
            )
    return kinds


def _windowed_layers(config: Config, layers: int) -> tuple[int, ...]:
    """Return the layers of a model spec with a window if its config lists none."""
    period = config.family.window_period
    if period:
        period = config.size("window_period", period)
    if period:
        return tuple(i for i in range(layers) if (i + 1) % period)
    first = 0
    # A first layer of 0 is no size, but means that all layers have the window.
    if config.keys("first_windowed_layer") and config.value("first_windowed_layer")[1]:
        first = config.size("first_windowed_layer")
    return tuple(range(min(layers, first), layers))


def unrotated_of(config: Config, layers: int) -> dict[str, tuple[int, ...]]:
    """Return the layers of a model spec whose queries and keys are not rotated."""
    if config.family.rotates_in_windows:
        windowed = window_of(config, layers).get("windowed_layers", ())
        has_window = config.value("window_tokens")[1] is not None
        if config.family.rotates_without_window and not has_window:
            return {}
        others = tuple(layer for layer in range(layers) if layer not in windowed)
        return {"unrotated_layers": others} if others else {}
    key, rotated = config.value("rotated_layers")
    if rotated is None or rotated == []:
        if config.value("unrotated_period")[1] is None:
            return {}
        period = config.size("unrotated_period")
        rotated = [(layer + 1) % period for layer in range(layers)]
    if not isinstance(rotated, list) or len(rotated) != layers:
        raise SpecError(
            f"{config.origin}: {key} must say of each of {layers} layers whether it is "
            "rotated"
        )
    found = tuple(layer for layer in range(layers) if not rotated[layer])
    return {"unrotated_layers": found} if found else {}

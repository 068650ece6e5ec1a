"""Linear attention of a configuration: the sizes of its heads, and the layers."""

from typing import Any

from specs.config_values import FULL_ATTENTION, LINEAR_ATTENTION, Config
from specs.errors import SpecError

_SIZES = ("key_heads", "value_heads", "key_dim", "value_dim", "kernel")


def linear_sizes(config: Config, layers: int) -> dict[str, Any]:
    """Return the fields of a `ModelSpec` that concern linear attention.

    There are none in a family without it, nor if all of the `layers` of a config have
    full attention.

    Raises
    ------
    SpecError
        If a number is missing or not positive, or layers are of another kind.
    """
    if not config.family.has_linear_layers:
        return {}
    linear = _linear_layers(config, layers)
    if not linear:
        return {}
    sizes = {name: config.size(f"linear_{name}") for name in _SIZES}
    return {"linear": sizes, "linear_layers": linear}


def _linear_layers(config: Config, layers: int) -> tuple[int, ...]:
    """Return the layers with linear attention, listed or all but every so many."""
    key, kinds = config.value("layer_types")
    if kinds is None:
        period = config.size("full_attention_period", config.family.full_period)
        return tuple(layer for layer in range(layers) if (layer + 1) % period)
    if not isinstance(kinds, list) or len(kinds) != layers:
        raise SpecError(
            f"{config.origin}: {key} must list the kind of each of {layers} layers"
        )
    for kind in kinds:
        if kind not in (LINEAR_ATTENTION, FULL_ATTENTION):
            raise SpecError(
                f"{config.origin}: {key} has {kind!r}, which is not modelled; only "
                f"{LINEAR_ATTENTION} and {FULL_ATTENTION} are"
            )
    return tuple(n for n, kind in enumerate(kinds) if kind == LINEAR_ATTENTION)

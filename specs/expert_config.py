"""Experts of a configuration: their number, their sizes, their layers, their router."""

from typing import Any

from specs.config_values import Config
from specs.errors import SpecError

# Fields of a router that a config states, by their field of `ConfigKeys`.
_ROUTER_COUNTS = {"groups": "router_groups", "groups_per_token": "router_groups_chosen"}


def expert_sizes(config: Config, layers: int) -> dict[str, Any]:
    """Return the fields of a `ModelSpec` that concern experts, as a config states them.

    Parameters
    ----------
    config
        The configuration.
    layers
        Layers of the model.

    Raises
    ------
    SpecError
        If a number is missing or not positive, or layers are no list of numbers.
    """
    experts = config.size("experts", 1)
    sizes = {
        "experts": experts,
        "experts_per_token": config.size("experts_per_token", 1),
    }
    if experts == 1:
        return sizes
    return {
        **sizes,
        "router": _router(config),
        "expert_intermediate_size": _optional(config, "expert_intermediate_size"),
        "shared_intermediate_size": _optional(config, "shared_intermediate_size"),
        "shared_expert_gate": config.family.shared_expert_gate,
        "expert_layers": _layers(config, layers),
    }


def _optional(config: Config, field: str) -> int:
    """Return a number that a family's configs may have, 0 if they do not."""
    return config.size(field) if config.value(field)[1] else 0


def _router(config: Config) -> dict[str, Any]:
    """Return the router of a family, with what a config states of it."""
    router = config.family.router.model_dump()
    if config.keys("router_normalised"):
        router["normalised"] = config.flag("router_normalised")
    if config.keys("router_scale"):
        key, scale = config.value("router_scale")
        if type(scale) not in (int, float) or scale <= 0:
            raise SpecError(f"{config.origin}: {key} = {scale!r}: must be above 0")
        router["scale"] = scale
    if config.keys("router_jitter"):
        key, jitter = config.value("router_jitter")
        if type(jitter) not in (int, float) or jitter < 0:
            raise SpecError(f"{config.origin}: {key} = {jitter!r}: must be 0 or above")
        router["tolerance"] = 2 * jitter
    for field, name in _ROUTER_COUNTS.items():
        if config.keys(name) and config.value(name)[1] is not None:
            router[field] = config.size(name)
    return router


def _layers(config: Config, layers: int) -> tuple[int, ...] | None:
    """Return the layers that have experts, None if all have them.

    They are every so many layers, counted from 1, but for those listed as dense.
    """
    period = config.size("expert_period", 1)
    key, dense = config.value("dense_layers")
    if dense is not None and not (
        isinstance(dense, list) and all(type(layer) is int for layer in dense)
    ):
        raise SpecError(f"{config.origin}: {key} = {dense!r}: must be a list of layers")
    own = tuple(
        layer
        for layer in range(layers)
        if (layer + 1) % period == 0 and layer not in (dense or ())
    )
    return None if len(own) == layers else own

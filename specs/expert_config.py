"""Experts of a configuration: their number, their sizes, their layers, their router."""

from typing import Any

from specs.config_values import Config
from specs.errors import SpecError

# Fields of a router that a config states, by their field of `ConfigKeys`.
_ROUTER_COUNTS = {"groups": "router_groups", "groups_per_token": "router_groups_chosen"}


# Ways in which a router chooses experts: of all, of the best groups, or of the best
# groups by corrected scores.
_GREEDY, _GROUPS, _CORRECTED = "greedy", "group_limited_greedy", "noaux_tc"
_METHODS = (_GREEDY, _GROUPS, _CORRECTED)


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
    own = () if _has_none(config) else _layers(config, layers)
    if own == ():
        return {"experts": 1, "experts_per_token": 1}
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
        "shared_intermediate_size": _shared_size(config),
        "shared_expert_gate": config.family.shared_expert_gate,
        "expert_layers": own,
    }


def _has_none(config: Config) -> bool:
    """Return whether no layer has experts, in a family whose layers may be dense.

    Such a config has 0 of them, or a 0 for every how many layers has them.
    """
    may_be_dense = config.keys("expert_period") or config.keys("first_dense_layers")
    stated = [config.value(field)[1] for field in ("experts", "expert_period")]
    listed = config.value("expert_layers")[1]
    none = type(stated[0]) is int and stated[0] == 0
    none |= listed is None and type(stated[1]) is int and stated[1] == 0
    return bool(may_be_dense) and none


def _optional(config: Config, field: str) -> int:
    """Return a number that a family's configs may have, 0 if they do not."""
    return config.size(field) if config.value(field)[1] else 0


def _shared_size(config: Config) -> int:
    """Return the width of what all tokens use, 0 without.

    Shared experts of the size of the others are one of so many times that size.
    """
    several = _optional(config, "shared_experts")
    if several:
        return several * config.size("expert_intermediate_size")
    return _optional(config, "shared_intermediate_size")


def _router(config: Config) -> dict[str, Any]:
    """Return the router of a family, with what a config states of it."""
    router = config.family.router.model_dump()
    _, scores = config.value("router_scores")
    if scores is not None:
        router["scores"] = scores
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
    key, method = config.value("router_method")
    if method not in (None, *_METHODS):
        raise SpecError(
            f"{config.origin}: {key} = {method!r} is not modelled; only "
            f"{' and '.join(_METHODS)} are"
        )
    if method == _GREEDY:
        # Groups may be stated, but none is left out.
        return router
    router["correction"] |= method == _CORRECTED
    for field, name in _ROUTER_COUNTS.items():
        if config.keys(name) and config.value(name)[1] is not None:
            router[field] = config.size(name)
    return router


def _layers(config: Config, layers: int) -> tuple[int, ...] | None:
    """Return the layers that have experts, None if all have them.

    They are every so many layers, counted from 1, but for those listed as dense and for
    the first ones, if so many are dense.
    """
    key, listed = config.value("expert_layers")
    if listed is not None:
        own = _listed(config, key, listed)
        return None if len(own) == layers else own
    period = config.size("expert_period", 1)
    key, dense = config.value("dense_layers")
    left_out = () if dense is None else _listed(config, key, dense)
    first = _optional(config, "first_dense_layers")
    own = tuple(
        layer
        for layer in range(layers)
        if (layer + 1) % period == 0 and layer not in left_out and layer >= first
    )
    return None if len(own) == layers else own


def _listed(config: Config, key: str, layers: Any) -> tuple[int, ...]:
    """Return the layers that a key lists."""
    if not isinstance(layers, list) or any(type(layer) is not int for layer in layers):
        raise SpecError(
            f"{config.origin}: {key} = {layers!r}: must be a list of layers"
        )
    return tuple(layers)

"""Latent attention of a configuration: the sizes of its latents and heads."""

from typing import Any

from specs.config_values import Config

_OF_HEAD = ("rotary_dim", "plain_dim")
_SIZES = ("kv_rank", *_OF_HEAD, "value_dim")


def latent_sizes(config: Config, heads: int) -> dict[str, Any]:
    """Return the fields of a `ModelSpec` that concern latents, as a config states them.

    They are those of each of `heads` query heads, too; none in a family without
    latents.

    Raises
    ------
    SpecError
        If a number is missing or not positive.
    """
    if not config.family.has_latents:
        return {}
    latent: dict[str, int | None] = {
        name: config.size(f"latent_{name}") for name in _SIZES
    }
    # A config says null if queries have no latent.
    stated = config.value("latent_query_rank")[1] is not None
    latent["query_rank"] = config.size("latent_query_rank") if stated else None
    return {
        "kv_heads": heads,
        "head_dim": sum(config.size(f"latent_{name}") for name in _OF_HEAD),
        "latent": latent,
    }

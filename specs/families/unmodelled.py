"""What is not modelled of a config, and the modelled family that it is most like."""

from collections.abc import Mapping
from typing import Any

from specs.families.catalogue import FAMILIES
from specs.families.family import Family

# Config keys of mechanisms that are not modelled, and the name of each mechanism.
UNMODELLED = {
    "attn_layer_period": "layers that alternate with other kinds",
    "decoder_layers": "a decoder beside its encoder",
    "first_k_dense_replace": "dense layers before those of experts",
    "kv_lora_rank": "latent attention",
    "linear_num_value_heads": "layers of linear attention",
    "n_routed_experts": "routed beside shared experts",
    "num_decoder_layers": "a decoder beside its encoder",
    "relative_attention_num_buckets": "relative attention biases",
    "ssm_cfg": "state-space layers",
    "state_size": "state-space layers",
    "text_config": "a language model beside another model",
}
_ACTIVATIONS = ("hidden_act", "hidden_activation", "activation_function")
# Values that ask for nothing, beside false and null.
_NOTHING: tuple[Any, ...] = (0, "", [], {})


def unmodelled_of(content: Mapping[str, Any]) -> list[str]:
    """Return the mechanisms that a config asks for and that no family has, sorted.

    A key that is false, null, 0 or empty asks for nothing.

    Parameters
    ----------
    content
        Content of ``config.json``.

    Examples
    --------
    >>> unmodelled_of({"state_size": 0, "kv_lora_rank": 512})
    ['latent attention']
    """
    asked = {
        name
        for key, name in UNMODELLED.items()
        if content.get(key) and content[key] not in _NOTHING
    }
    return sorted(asked)


def nearest_family(content: Mapping[str, Any]) -> str | None:
    """Return the modelled family whose structure is the most like that of a config.

    Structure is what the keys of a config state: families are compared by the keys of
    their configuration classes, whatever their names are.

    Parameters
    ----------
    content
        Content of ``config.json``.

    Returns
    -------
    str | None
        None if the config has no key that any family reads. Of families that are alike,
        one that extends no other.
    """
    structures = {
        name: _structure(family)
        for name, family in FAMILIES.items()
        if not family.encoder or any(key in content for key in family.keys.token_types)
    }
    known = frozenset[str]().union(*structures.values())
    asked = {key for key in content if key in known} | _activations(content)
    if not asked & known:
        return None

    def unlikeness(name: str) -> tuple[float, bool, str]:
        own = structures[name]
        share = len(asked & own) / len(asked | own)
        return -share, FAMILIES[name].extends is not None, name

    return min(structures, key=unlikeness)


def _structure(family: Family) -> frozenset[str]:
    """Return what configs of a family state: its keys, and the usual activation."""
    own = set(family.defaults) | set(family.requires) | _activations(family.defaults)
    for field in ("kv_heads", "attention_biases", "window_tokens"):
        own |= set(getattr(family.keys, field))
    return frozenset(own)


def _activations(content: Mapping[str, Any]) -> set[str]:
    """Return the activations that a config states."""
    return {str(content[key]) for key in _ACTIVATIONS if content.get(key)}

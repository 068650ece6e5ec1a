"""Hugging Face configurations: the sizes of a model from its ``config.json``."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from specs.block_config import block_order_of, kv_heads_of
from specs.config_layers import unrotated_of, window_of
from specs.config_values import MODEL_TYPE, Config, text_part
from specs.errors import SpecError, nearest
from specs.expert_config import expert_sizes
from specs.families.catalogue import FAMILIES
from specs.families.config_keys import ConfigKeys
from specs.families.unmodelled import nearest_family, unmodelled_of
from specs.latent_config import latent_sizes
from specs.linear_config import linear_sizes

# Sizes that every config.json states, even one that leaves the rest to its class.
_STATED = ("hidden_size", "layers")
# Sizes that a complete config states.
_EXPECTED = (
    "hidden_size",
    "intermediate_size",
    "layers",
    "attention_heads",
    "vocabulary_size",
)
# Fields whose keys, misspelt, would silently give a model of another size.
_SIZES = (
    *_EXPECTED,
    "kv_heads",
    "head_dim",
    "experts",
    "experts_per_token",
)
# Least similarity of a key to the one that it is taken for.
_SIMILAR = 0.8


def sizes_of(content: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """Return the fields of a `ModelSpec` except its name, as a config states them.

    A missing key has the value that the configuration class of its ``model_type`` has.

    Parameters
    ----------
    content
        Content of ``config.json``.
    origin
        Origin of the content, for messages.

    Raises
    ------
    SpecError
        If ``model_type`` is not modelled, or a size is missing, misspelt or not
        positive.
    """
    text = text_part(content, origin)
    name = _family_name(text, origin)
    family = FAMILIES[name]
    config = Config(text, family, origin)
    _check_keys(name, text, config)
    _check_requirements(name, text, config)
    hidden, heads = config.size("hidden_size"), config.size("attention_heads")
    whole = hidden % heads == 0 or family.has_latents
    if config.value("head_dim")[1] is None and not whole:
        raise SpecError(
            f"{origin}: {config.keys('hidden_size')[0]} {hidden} is no multiple of "
            f"{config.keys('attention_heads')[0]} {heads}; give head_dim"
        )
    layers = config.size("layers")
    sizes = {
        "family": name,
        "hidden_size": hidden,
        "intermediate_size": config.size("intermediate_size", family.widening * hidden),
        "layers": layers,
        "attention_heads": heads,
        # None means multi-head attention: a key and value head per query head.
        "kv_heads": kv_heads_of(config, heads),
        "head_dim": config.size("head_dim", hidden // heads, if_null=hidden // heads),
        "vocabulary_size": config.size("vocabulary_size"),
        # An encoder's output is its hidden states: it has no head to tie.
        "tied_embeddings": not family.encoder and config.flag("tied_embeddings"),
        **expert_sizes(config, layers),
        **latent_sizes(config, heads),
        **linear_sizes(config, layers),
        **_biases(config),
        **_positions(name, config),
        **window_of(config, layers),
        **unrotated_of(config, layers),
        "block_order": block_order_of(config),
        "alibi": family.alibi or config.flag("alibi"),
        "plain_head_norms": config.flag("plain_head_norms"),
    }
    return {**sizes, "remarks": tuple(_remarks(content, config, sizes))}


def _check_keys(name: str, content: Mapping[str, Any], config: Config) -> None:
    """Raise a spec error if a size is missing or its key is misspelt."""
    known = {key for keys in config.family.keys.model_dump().values() for key in keys}
    unknown = [key for key in content if key not in known]
    for field in _SIZES:
        for expected in config.keys(field):
            if config.states(field):
                break
            close = get_close_matches(expected, unknown, n=1, cutoff=_SIMILAR)
            if close:
                raise SpecError(
                    f"{config.origin}: a {name} configuration has no key {close[0]!r}; "
                    f"did you mean {expected!r}?"
                )
    if not all(config.states(field) for field in _STATED):
        missing = [
            config.keys(field)[0]
            for field in _EXPECTED
            if not config.states(field)
            and not (field == "intermediate_size" and config.family.widening)
        ]
        raise SpecError(
            f"{config.origin}: a {name} configuration needs {', '.join(missing)}; "
            "is the file complete?"
        )


def _remarks(
    content: Mapping[str, Any], config: Config, sizes: Mapping[str, Any]
) -> Iterator[str]:
    """Yield what a reader of a model spec should know of how it was read."""
    if text_part(content, config.origin) is not content:
        yield f"the text part of a multimodal {content.get(MODEL_TYPE)} model"
    further = config.value("prediction_layers")[1]
    if further:
        yield f"without {further} layer(s) that predict further tokens"
    assumed = [
        f"{config.keys(field)[0]} = {config.default(field)}"
        for field in (*_SIZES, "window_tokens")
        if field in sizes
        and config.default(field) is not None
        and not config.states(field)
    ]
    if assumed:
        yield f"as {config.family.source}, not in the config: {', '.join(assumed)}"


def _family_name(content: Mapping[str, Any], origin: str) -> str:
    """Return a model spec's family from its config, or say what is not modelled."""
    name = content.get(MODEL_TYPE)
    if name is None:
        raise SpecError(f"{origin}: key 'model_type' is missing; is the file complete?")
    if not isinstance(name, str):
        raise SpecError(f"{origin}: model_type = {name!r}: must be a word")
    if name in FAMILIES:
        return name
    lacks = unmodelled_of(content)
    missing = f"; not modelled of it: {', '.join(lacks)}" if lacks else ""
    sizes = [getattr(ConfigKeys(), field)[0] for field in _EXPECTED]
    absent = [key for key in sizes if key not in content]
    if len(absent) < len(sizes) and absent:
        missing += f"; it lacks {', '.join(absent)}"
    relative = nearest_family(content)
    if relative is not None:
        like = f"of those that are, {relative!r} is the most like it"
    else:
        like = nearest(name, FAMILIES)
    raise SpecError(
        f"{origin}: model_type {name!r} is not modelled{missing}; {like} "
        "(groqrack models lists all)"
    )


def _biases(config: Config) -> dict[str, bool]:
    """Return which projections of a model spec have a bias."""
    family = config.family
    attention = family.biased or config.flag("attention_biases")
    return {
        "qkv_biases": attention or family.qkv_biased or config.flag("qkv_biases"),
        "output_biases": attention or config.flag("output_biases"),
        "head_biases": family.head_biased or config.flag("head_biases"),
        "feed_forward_biases": family.biased
        or family.feed_forward_biased
        or config.flag("feed_forward_biases"),
    }


def _positions(name: str, config: Config) -> dict[str, int]:
    """Return a model spec's longest context, and rows of tables of positions."""
    rows = config.size("max_context_tokens", config.family.trained_positions)
    if not config.family.learned_positions:
        return {"max_context_tokens": rows}
    unused = config.family.first_position
    rows += config.family.unnumbered_positions
    if rows <= unused:
        raise SpecError(
            f"{config.origin}: {config.keys('max_context_tokens')[0]} = {rows}: {name} "
            f"leaves the first {unused} unused"
        )
    sizes = {"max_context_tokens": rows - unused, "position_rows": rows}
    if config.keys("token_types"):
        sizes["token_types"] = config.size("token_types")
    return sizes


def _check_requirements(name: str, content: Mapping[str, Any], config: Config) -> None:
    """Raise a spec error if a config asks for what its family lacks here."""
    family = config.family
    for key, wanted in family.requires.items():
        expected = wanted
        if isinstance(wanted, str) and wanted.startswith("="):
            other = wanted.removeprefix("=")
            expected = content.get(other, family.defaults.get(other))
        value = content.get(key)
        if value is not None and value != expected:
            raise SpecError(
                f"{config.origin}: {key} = {value!r} of {name} is not modelled; only "
                f"{expected!r} is"
            )

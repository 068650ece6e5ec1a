"""Hugging Face configurations: the sizes of a model from its ``config.json``."""

from collections.abc import Mapping
from typing import Any

from specs.errors import SpecError, nearest
from specs.families import (
    ATTENTION_BIAS_READERS,
    FAMILIES,
    MLP_BIAS_READERS,
    UNMODELLED,
    Family,
)

# Field of `ModelSpec` for each size that every config.json must hold, and its key.
_KEYS = {
    "hidden_size": "hidden_size",
    "intermediate_size": "intermediate_size",
    "layers": "num_hidden_layers",
    "attention_heads": "num_attention_heads",
    "vocabulary_size": "vocab_size",
}
_GPT2_KEYS = {
    "hidden_size": "n_embd",
    "layers": "n_layer",
    "attention_heads": "n_head",
    "vocabulary_size": "vocab_size",
}
# Width of GPT-2's feed-forward over that of the residual stream if n_inner is null.
_GPT2_WIDENING = 4
_GEMMA2_WINDOW_TOKENS = 4096
# RoBERTa numbers its positions from the index after the padding token, 1.
_ROBERTA_FIRST_POSITION = 2


class _Config:
    """Configuration with typed access to its keys."""

    def __init__(self, content: Mapping[str, Any], origin: str) -> None:
        self.content = content
        self.origin = origin

    def size(self, key: str, otherwise: int = 0) -> int:
        """Return the number at `key`, or `otherwise` if it is absent or null."""
        value = self.content.get(key)
        if value is None and otherwise:
            return otherwise
        if type(value) is not int or value < 1:
            raise SpecError(
                f"{self.origin}: {key} = {value!r}: must be a whole number above 0"
            )
        return value

    def flag(self, key: str, *, otherwise: bool) -> bool:
        """Return the truth value at `key`, or `otherwise` if it is absent or null."""
        value = self.content.get(key)
        if value is None:
            return otherwise
        if type(value) is not bool:
            raise SpecError(f"{self.origin}: {key} = {value!r}: must be true or false")
        return value


def sizes_of(content: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """Return the fields of a `ModelSpec` except its name, as a config states them.

    Parameters
    ----------
    content
        Content of ``config.json``.
    origin
        Origin of the content, for messages.

    Raises
    ------
    SpecError
        If ``model_type`` is not modelled or a size is missing or not positive.
    """
    name = _family_name(content, origin)
    family, config = FAMILIES[name], _Config(content, origin)
    keys = _GPT2_KEYS if name == "gpt2" else _KEYS
    missing = [key for key in keys.values() if key not in content]
    if missing:
        raise SpecError(
            f"{origin}: a {name} configuration needs {', '.join(missing)}; "
            "is the file complete?"
        )
    sizes = {field: config.size(key) for field, key in keys.items()}
    hidden, heads = sizes["hidden_size"], sizes["attention_heads"]
    if content.get("head_dim") is None and hidden % heads:
        raise SpecError(
            f"{origin}: {keys['hidden_size']} {hidden} is no multiple of "
            f"{keys['attention_heads']} {heads}; give head_dim"
        )
    if name == "gpt2":
        sizes["intermediate_size"] = config.size("n_inner", _GPT2_WIDENING * hidden)
    return {
        **sizes,
        "family": name,
        # Absent means multi-head attention: a key and value head per query head.
        "kv_heads": config.size("num_key_value_heads", heads),
        "head_dim": config.size("head_dim", hidden // heads),
        # An encoder's output is its hidden states: it has no head to tie.
        "tied_embeddings": not family.encoder
        and config.flag("tie_word_embeddings", otherwise=family.tied_embeddings),
        "experts": config.size("num_local_experts", 1),
        "experts_per_token": config.size("num_experts_per_tok", 1),
        **_biases(name, family, config),
        **_positions(name, family, config),
        **_window(name, config, sizes["layers"]),
    }


def _family_name(content: Mapping[str, Any], origin: str) -> str:
    """Return a model spec's family from its config, or say what is not modelled."""
    name = content.get("model_type")
    if name is None:
        raise SpecError(f"{origin}: key 'model_type' is missing; is the file complete?")
    if name in FAMILIES:
        return str(name)
    lacks = sorted({UNMODELLED[key] for key in content if key in UNMODELLED})
    missing = f"; not modelled of it: {', '.join(lacks)}" if lacks else ""
    absent = [key for key in _KEYS.values() if key not in content]
    if len(absent) < len(_KEYS) and absent:
        missing += f"; it lacks {', '.join(absent)}"
    raise SpecError(
        f"{origin}: model_type {name!r} is not modelled; "
        f"{nearest(str(name), FAMILIES)} "
        f"(modelled: {', '.join(sorted(FAMILIES))}){missing}"
    )


def _biases(name: str, family: Family, config: _Config) -> dict[str, bool]:
    """Return which projections of a model spec have a bias."""
    attention = family.biased or (
        name in ATTENTION_BIAS_READERS
        and config.flag("attention_bias", otherwise=False)
    )
    return {
        "qkv_biases": attention or family.qkv_biased,
        "output_biases": attention,
        "feed_forward_biases": family.biased
        or (name in MLP_BIAS_READERS and config.flag("mlp_bias", otherwise=False)),
    }


def _positions(name: str, family: Family, config: _Config) -> dict[str, int]:
    """Return a model spec's longest context, and rows of tables of positions."""
    if not family.learned_positions:
        return {"max_context_tokens": config.size("max_position_embeddings", 4096)}
    if name == "gpt2":
        rows = config.size("n_positions", 1024)
        return {"max_context_tokens": rows, "position_rows": rows}
    rows = config.size("max_position_embeddings", 512)
    unused = _ROBERTA_FIRST_POSITION if name == "roberta" else 0
    if rows <= unused:
        raise SpecError(
            f"{config.origin}: max_position_embeddings = {rows}: roberta leaves the "
            f"first {unused} unused"
        )
    return {
        "max_context_tokens": rows - unused,
        "position_rows": rows,
        "token_types": config.size("type_vocab_size", 2),
    }


def _window(name: str, config: _Config, layers: int) -> dict[str, Any]:
    """Return the width of a model spec's sliding window and the layers that have it."""
    content = config.content
    used = config.flag("use_sliding_window", otherwise=not name.startswith("qwen"))
    otherwise = _GEMMA2_WINDOW_TOKENS if name == "gemma2" else 0
    given = content.get("sliding_window", otherwise or None)
    if name in ("bert", "gpt2", "llama", "roberta") or given is None or not used:
        return {}
    tokens = config.size("sliding_window", otherwise)
    kinds = content.get("layer_types")
    if isinstance(kinds, list) and len(kinds) == layers:
        windowed = tuple(i for i, kind in enumerate(kinds) if "sliding" in str(kind))
    elif name == "gemma2":
        windowed = tuple(range(0, layers, 2))
    elif name.startswith("qwen"):
        windowed = tuple(range(min(layers, _first_window(config)), layers))
    else:
        windowed = tuple(range(layers))
    return {"window_tokens": tokens, "windowed_layers": windowed} if windowed else {}


def _first_window(config: _Config) -> int:
    """Return the first layer of a qwen spec with a window; 0 if all layers have it."""
    return (
        0
        if config.content.get("max_window_layers") == 0
        else config.size("max_window_layers", 28)
    )

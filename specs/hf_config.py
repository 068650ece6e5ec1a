"""Hugging Face configurations: the sizes of a model from its ``config.json``."""

from collections.abc import Mapping
from typing import Any

from specs.errors import SpecError, nearest
from specs.families.catalogue import FAMILIES
from specs.families.family import ConfigKeys, Family
from specs.families.unmodelled import UNMODELLED

# Sizes that every config.json must hold.
_REQUIRED = (
    "hidden_size",
    "intermediate_size",
    "layers",
    "attention_heads",
    "vocabulary_size",
)
_MAX_CONTEXT_TOKENS = 4096


class Config:
    """Configuration with typed access by fields of `ConfigKeys`.

    Parameters
    ----------
    content
        Content of ``config.json``.
    family
        Its family, which says what the keys are called and what an absent one means.
    origin
        Origin of the content, for messages.
    """

    def __init__(self, content: Mapping[str, Any], family: Family, origin: str) -> None:
        self._content = content
        self.family = family
        self.origin = origin

    def keys(self, field: str) -> tuple[str, ...]:
        """Return the keys that may hold a field."""
        keys: tuple[str, ...] = getattr(self.family.keys, field)
        return keys

    def states(self, field: str) -> bool:
        """Return whether the config itself has a key of the field."""
        return any(key in self._content for key in self.keys(field))

    def value(self, field: str) -> tuple[str, Any]:
        """Return the key that holds a field, and its value; None if nothing does."""
        for source in (self._content, self.family.defaults):
            for key in self.keys(field):
                if key in source:
                    return key, source[key]
        return next(iter(self.keys(field)), field), None

    def default(self, field: str) -> Any:
        """Return the value that the configuration class has for a field."""
        defaults = self.family.defaults
        return next((defaults[k] for k in self.keys(field) if k in defaults), None)

    def size(self, field: str, otherwise: int = 0, *, if_null: int = 0) -> int:
        """Return the number that a field has.

        Parameters
        ----------
        field
            The field.
        otherwise
            Number if neither the config nor its class has one; 0 to refuse that.
        if_null
            Number if the config says null; 0 if null is the same as an absent key.
        """
        key, value = self.value(field)
        if value is None and if_null and self.states(field):
            return if_null
        if value is None:
            value = self.default(field)
        if value is None and otherwise:
            return otherwise
        if type(value) is not int or value < 1:
            raise SpecError(
                f"{self.origin}: {key} = {value!r}: must be a whole number above 0"
            )
        return value

    def flag(self, field: str, *, otherwise: bool = False) -> bool:
        """Return the truth value that a field has, or `otherwise`."""
        key, value = self.value(field)
        if value is None:
            value = self.default(field)
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
    family = FAMILIES[name]
    config = Config(content, family, origin)
    missing = [
        config.keys(field)[0]
        for field in _REQUIRED
        if not config.states(field)
        and not (field == "intermediate_size" and family.widening)
    ]
    if missing:
        raise SpecError(
            f"{origin}: a {name} configuration needs {', '.join(missing)}; "
            "is the file complete?"
        )
    hidden, heads = config.size("hidden_size"), config.size("attention_heads")
    if config.value("head_dim")[1] is None and hidden % heads:
        raise SpecError(
            f"{origin}: {config.keys('hidden_size')[0]} {hidden} is no multiple of "
            f"{config.keys('attention_heads')[0]} {heads}; give head_dim"
        )
    layers = config.size("layers")
    return {
        "family": name,
        "hidden_size": hidden,
        "intermediate_size": config.size("intermediate_size", family.widening * hidden),
        "layers": layers,
        "attention_heads": heads,
        # None means multi-head attention: a key and value head per query head.
        "kv_heads": config.size("kv_heads", heads, if_null=heads),
        "head_dim": config.size("head_dim", hidden // heads, if_null=hidden // heads),
        "vocabulary_size": config.size("vocabulary_size"),
        # An encoder's output is its hidden states: it has no head to tie.
        "tied_embeddings": not family.encoder and config.flag("tied_embeddings"),
        "experts": config.size("experts", 1),
        "experts_per_token": config.size("experts_per_token", 1),
        **_biases(config),
        **_positions(name, config),
        **_window(config, layers),
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
    known = ConfigKeys()
    sizes = [getattr(known, field)[0] for field in _REQUIRED]
    absent = [key for key in sizes if key not in content]
    if len(absent) < len(sizes) and absent:
        missing += f"; it lacks {', '.join(absent)}"
    raise SpecError(
        f"{origin}: model_type {name!r} is not modelled; "
        f"{nearest(str(name), FAMILIES)} "
        f"(modelled: {', '.join(sorted(FAMILIES))}){missing}"
    )


def _biases(config: Config) -> dict[str, bool]:
    """Return which projections of a model spec have a bias."""
    family = config.family
    attention = family.biased or config.flag("attention_biases")
    return {
        "qkv_biases": attention or family.qkv_biased,
        "output_biases": attention,
        "feed_forward_biases": family.biased or config.flag("feed_forward_biases"),
    }


def _positions(name: str, config: Config) -> dict[str, int]:
    """Return a model spec's longest context, and rows of tables of positions."""
    rows = config.size("max_context_tokens", _MAX_CONTEXT_TOKENS)
    if not config.family.learned_positions:
        return {"max_context_tokens": rows}
    unused = config.family.first_position
    if rows <= unused:
        raise SpecError(
            f"{config.origin}: {config.keys('max_context_tokens')[0]} = {rows}: {name} "
            f"leaves the first {unused} unused"
        )
    sizes = {"max_context_tokens": rows - unused, "position_rows": rows}
    if config.keys("token_types"):
        sizes["token_types"] = config.size("token_types")
    return sizes


def _window(config: Config, layers: int) -> dict[str, Any]:
    """Return the width of a model spec's sliding window and the layers that have it."""
    used = config.flag("window_used", otherwise=True)
    if not used or config.value("window_tokens")[1] is None:
        return {}
    tokens = config.size("window_tokens")
    windowed = _windowed_layers(config, layers)
    return {"window_tokens": tokens, "windowed_layers": windowed} if windowed else {}


def _windowed_layers(config: Config, layers: int) -> tuple[int, ...]:
    """Return the layers of a model spec that have a window, if it has one."""
    _, kinds = config.value("layer_types")
    if isinstance(kinds, list) and len(kinds) == layers:
        return tuple(i for i, kind in enumerate(kinds) if "sliding" in str(kind))
    period = config.family.window_period
    if period:
        return tuple(i for i in range(layers) if (i + 1) % period)
    first = 0
    # A first layer of 0 is no size, but means that all layers have the window.
    if config.keys("first_windowed_layer") and config.value("first_windowed_layer")[1]:
        first = config.size("first_windowed_layer")
    return tuple(range(min(layers, first), layers))

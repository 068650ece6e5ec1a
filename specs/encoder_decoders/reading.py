"""Encoder-decoders of Hugging Face configurations, shipped or of a file."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from specs.encoder_decoders.family import (
    FOLDER,
    EncoderDecoderFamily,
    encoder_decoder_families,
    load_encoder_decoder_family,
)
from specs.encoder_decoders.shape import EncoderDecoder
from specs.errors import SpecError, nearest
from specs.input_files import is_there
from specs.shipped_files import shipped_as, shipped_names, shipped_path
from specs.validation import build, read_mapping
from specs.vector_functions import VectorFunction

_MODEL_TYPE = "model_type"
# Sizes that every config states: a file without one is cut, or another's.
_STATED = (
    "hidden_size",
    "vocabulary_size",
    "encoder_layers",
    "decoder_layers",
    "encoder_heads",
    "decoder_heads",
    "encoder_intermediate_size",
    "decoder_intermediate_size",
)
_FUNCTIONS = {
    "relu": VectorFunction.RELU,
    "gelu": VectorFunction.GELU,
    "gelu_new": VectorFunction.GELU_TANH,
    "silu": VectorFunction.SILU,
}
_GATED = "gated-"
# The class reads this one as that.
_RENAMED = {"gated-gelu": "gated-gelu_new"}


@cache
def encoder_decoder_names() -> tuple[str, ...]:
    """Return the names of the shipped encoder-decoder specs, sorted."""
    return shipped_names(FOLDER, ".json")


def is_encoder_decoder(config: Mapping[str, Any]) -> bool:
    """Return whether a config is that of an encoder-decoder spec, by its type."""
    return config.get(_MODEL_TYPE) in encoder_decoder_families()


def load_encoder_decoder(name_or_path: str | Path) -> EncoderDecoder | None:
    """Return the encoder-decoder spec of a shipped name or a ``config.json``.

    Returns
    -------
    EncoderDecoder | None
        None if the name or the file is of something else.

    Raises
    ------
    SpecError
        If the file is damaged, or lacks a size.
    """
    text = shipped_as(str(name_or_path), encoder_decoder_names())
    if text in encoder_decoder_names():
        path = shipped_path(FOLDER, f"{text}.json")
        return encoder_decoder_from_config(read_mapping(path), text, path.name)
    path = Path(text)
    if is_there(path) and path.is_dir():
        path = path / "config.json"
    if path.suffix != ".json" or not is_there(path):
        return None
    config = read_mapping(path)
    if not is_encoder_decoder(config):
        return None
    name = path.parent.name if path.name == "config.json" else path.stem
    return encoder_decoder_from_config(config, name or "model", str(path))


def encoder_decoder_from_config(
    config: Mapping[str, Any], name: str, origin: str = "config"
) -> EncoderDecoder:
    """Return the encoder-decoder spec that a configuration describes.

    Parameters
    ----------
    config
        Content of ``config.json``; keys of other matters are ignored.
    name
        Name of the model.
    origin
        Origin of the content, for messages.

    Raises
    ------
    SpecError
        If a size is missing, of another type or not positive, or the config asks for
        what is not modelled.
    """
    kind = str(config[_MODEL_TYPE])
    family = load_encoder_decoder_family(kind)
    _check_stated(config, family, origin)
    for key, wanted in family.requires.items():
        value = config.get(key)
        if value is not None and value != wanted:
            raise SpecError(
                f"{origin}: {key} = {value!r} of {kind} is not modelled; only "
                f"{wanted!r} is"
            )
    sizes = {field: _value(config, family, field, origin) for field in family.keys}
    if sizes.get("decoder_layers") is None:
        sizes["decoder_layers"] = sizes["encoder_layers"]
    function = str(sizes.pop("activation"))
    function = _RENAMED.get(function, function)
    activation = _FUNCTIONS.get(function.removeprefix(_GATED))
    if activation is None:
        known = [*_FUNCTIONS, *(f"{_GATED}{name}" for name in _FUNCTIONS)]
        raise SpecError(
            f"{origin}: {family.keys['activation']} = {function!r} is not modelled; "
            f"{nearest(function, known)}"
        )
    return build(
        EncoderDecoder,
        {
            **sizes,
            "name": name,
            "family": kind,
            "activation": activation,
            "gated": function.startswith(_GATED),
            "remarks": tuple(_remarks(config, family)),
        },
        origin,
    )


def _check_stated(
    config: Mapping[str, Any], family: EncoderDecoderFamily, origin: str
) -> None:
    """Raise a spec error if a config does not state a size that its class has."""
    keys = dict.fromkeys(family.keys[field] for field in _STATED)
    absent = [key for key in keys if key in family.defaults and key not in config]
    if absent:
        raise SpecError(
            f"{origin}: a {config[_MODEL_TYPE]} configuration needs "
            f"{', '.join(absent)}; is the file complete?"
        )


def _value(
    config: Mapping[str, Any], family: EncoderDecoderFamily, field: str, origin: str
) -> Any:
    """Return the value of a field, of the type that its class has."""
    key = family.keys[field]
    default = family.defaults.get(key)
    value = config.get(key)
    if value is None:
        return default
    wanted = type(default) if default is not None else int
    whole = wanted is float and type(value) is int
    if type(value) is not wanted and not whole:
        name = {int: "a whole number", float: "a number", bool: "true or false"}
        raise SpecError(
            f"{origin}: {key} = {value!r}: must be {name.get(wanted, 'a word')}"
        )
    return value


def _remarks(config: Mapping[str, Any], family: EncoderDecoderFamily) -> Iterator[str]:
    """Yield which sizes are those of the class, not of the config."""
    assumed = dict.fromkeys(
        f"{key} = {family.defaults[key]}"
        for field, key in family.keys.items()
        if key in family.defaults and key not in config and field != "norm_epsilon"
    )
    if assumed:
        yield f"as {family.source}, not in the config: {', '.join(assumed)}"

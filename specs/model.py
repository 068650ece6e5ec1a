"""Model specification, read from an unmodified Hugging Face ``config.json``."""

from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Self

from specs.checkpoint import check_checkpoint
from specs.config_values import text_part
from specs.encoder_decoders.reading import (
    encoder_decoder_names,
    is_encoder_decoder,
)
from specs.errors import SpecError, nearest
from specs.hf_config import sizes_of
from specs.input_files import is_there, shown
from specs.numerical_settings import numerical_settings_of
from specs.parameter_counts import CountedTransformer
from specs.quantization import quantization_of
from specs.shipped_files import shipped_as, shipped_names, shipped_path
from specs.validation import build, read_mapping


class ModelSpec(CountedTransformer):
    """Transformer specification whose sizes can be set one by one."""

    def with_settings(self, settings: Mapping[str, Any], origin: str = "--set") -> Self:
        """Return this model with sizes such as ``layers`` replaced.

        Parameters
        ----------
        settings
            New values by name.
        origin
            Origin of the settings, for messages.

        Raises
        ------
        SpecError
            If there is no such size (the message names the nearest) or a value is
            invalid.
        """
        for name in settings:
            if name not in SIZES:
                raise SpecError(f"{origin} {name}: no such key; {nearest(name, SIZES)}")
        kept = self.model_dump() | {name: getattr(self, name) for name in _UNDUMPED}
        return build(type(self), {**kept, **settings}, origin)

    def in_formats_of(self, settings: Collection[str]) -> Self:
        """Return this model without the formats of its checkpoint that are overridden.

        Parameters
        ----------
        settings
            Names of the settings of a machine, such as ``formats.weights``, which a
            user gives to ask what if.
        """
        changes = {
            field: None
            for field, setting in (
                ("formats", "formats.weights"),
                ("kv_cache", "formats.kv_cache"),
            )
            if setting in settings
        }
        return self.model_copy(update=changes)


# Fields that can be set; the others identify the model, or are no sizes.
_UNDUMPED = ("numerics", "remarks", "formats", "kv_cache")
_NO_SIZES = ("name", "family", "router", *_UNDUMPED)
SIZES = tuple(key for key in ModelSpec.model_fields if key not in _NO_SIZES)


@cache
def model_names() -> tuple[str, ...]:
    """Return the names of the shipped model specs, sorted."""
    return shipped_names("models", ".json")


def load_model(name_or_path: str | Path) -> ModelSpec:
    """Return a shipped model spec by name, or the model of a ``config.json``.

    Raises
    ------
    SpecError
        If neither a shipped model nor a file has that name; if the file is damaged,
        lacks a size or has an architecture that is not modelled; or if the index of a
        checkpoint beside it has another parameter count.
    """
    text = shipped_as(str(name_or_path), model_names())
    if text in model_names():
        path = shipped_path("models", f"{text}.json")
        return model_from_config(read_mapping(path), name=text, origin=f"{text}.json")
    path = Path(text)
    if shipped_as(text, encoder_decoder_names()) in encoder_decoder_names():
        raise _two_passes(text, text)
    if is_there(path) and path.is_dir():
        path = path / "config.json"
    if not is_there(path) and path.suffix != ".json":
        raise SpecError(
            f"no model {shown(text)} is shipped and no such file is in {Path.cwd()}; "
            f"{nearest(text, model_names())} (groqrack models lists them all)"
        )
    name = path.parent.name if path.name == "config.json" else path.stem
    config = read_mapping(path)
    model = model_from_config(config, name=name or "model", origin=str(path))
    if not model.structure.encoder and text_part(config, str(path)) is config:
        # Encoders are published with the head of their training, which is not modelled,
        # and multimodal models with their other parts.
        # A tied head is stored once or twice.
        copy = model.tied_embeddings * model.vocabulary_size * model.hidden_size
        counts = (model.parameters, model.parameters + copy)
        check_checkpoint(path.parent, config, counts)
    return model


def model_from_config(
    config: dict[str, Any], *, name: str, origin: str = "config"
) -> ModelSpec:
    """Return the model spec that a Hugging Face configuration describes.

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
        If ``model_type`` is not modelled, a size is missing or not positive, or a key
        of its quantisation is not understood.
    """
    if is_encoder_decoder(config):
        raise _two_passes(f"{origin}: {config['model_type']}", origin)
    sizes = sizes_of(config, origin)
    numerics = numerical_settings_of(config, sizes["family"], origin)
    model = build(ModelSpec, {**sizes, "name": name, "numerics": numerics}, origin)
    quantised = quantization_of(text_part(config, origin), model, origin)
    if quantised is None:
        return model
    formats, kv_cache = quantised
    return model.model_copy(update={"formats": formats, "kv_cache": kv_cache})


def _two_passes(what: str, name: str) -> SpecError:
    """Return the error of an encoder-decoder that is given as one model."""
    return SpecError(
        f"{what} is an encoder-decoder, whose passes have a schedule each: use "
        f"--workload {name}:encoder and --workload {name}:decoder"
    )

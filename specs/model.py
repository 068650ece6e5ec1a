"""The shape of a transformer, read from an unmodified Hugging Face config.json."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Self

from specs.checkpoint import check_checkpoint
from specs.errors import SpecError, nearest
from specs.hf_config import sizes_of
from specs.shipped_files import shipped_names, shipped_path
from specs.transformer_shape import TransformerShape
from specs.validation import build, read_mapping


class ModelSpec(TransformerShape):
    """A transformer whose sizes can be set one by one."""

    def with_settings(self, settings: Mapping[str, Any], origin: str = "--set") -> Self:
        """Return this model with sizes such as ``layers`` set anew, the others as is.

        Parameters
        ----------
        settings
            Values by name.
        origin
            Where they come from, for the message.

        Raises
        ------
        SpecError
            If there is no such size (the nearest is named) or a value is refused.
        """
        for name in settings:
            if name not in SIZES:
                raise SpecError(f"{origin} {name}: no such key; {nearest(name, SIZES)}")
        return build(type(self), {**self.model_dump(), **settings}, origin)


# What of a model can be set; the rest says what it is.
SIZES = tuple(key for key in ModelSpec.model_fields if key not in ("name", "family"))


@cache
def model_names() -> tuple[str, ...]:
    """Return the names of the shipped models, sorted."""
    return shipped_names("models", ".json")


def load_model(name_or_path: str | Path) -> ModelSpec:
    """Return a shipped model by name, or the model of a ``config.json``.

    Raises
    ------
    SpecError
        If neither a shipped model nor a file has that name, or if the file is
        damaged, lacks a size, or is of an architecture not modelled, or if the index
        of a checkpoint beside it counts other parameters.
    """
    text = str(name_or_path)
    if text in model_names():
        path = shipped_path("models", f"{text}.json")
        return model_from_config(read_mapping(path), name=text, origin=f"{text}.json")
    path = Path(text)
    if path.is_dir():
        path = path / "config.json"
    if not path.exists() and path.suffix != ".json":
        raise SpecError(
            f"no model {text!r} is shipped and no such file is in {Path.cwd()}; "
            f"{nearest(text, model_names())} (groqrack models lists them all)"
        )
    name = path.parent.name if path.name == "config.json" else path.stem
    config = read_mapping(path)
    model = model_from_config(config, name=name or "model", origin=str(path))
    if not model.structure.encoder:
        # Encoders are published with whatever head they were trained with. A tied head
        # is stored once, or twice.
        copy = model.tied_embeddings * model.vocabulary_size * model.hidden_size
        counts = (model.parameters, model.parameters + copy)
        check_checkpoint(path.parent, config, counts)
    return model


def model_from_config(
    config: dict[str, Any], *, name: str, origin: str = "config"
) -> ModelSpec:
    """Return the shape that a Hugging Face configuration describes.

    Parameters
    ----------
    config
        The content of ``config.json``; keys that do not bear on size are ignored.
    name
        What to call the model.
    origin
        Where the content comes from, for messages.

    Raises
    ------
    SpecError
        If ``model_type`` is not modelled or a size is missing or not positive.
    """
    return build(ModelSpec, {**sizes_of(config, origin), "name": name}, origin)

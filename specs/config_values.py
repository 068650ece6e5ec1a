"""Values of a Hugging Face configuration, over the defaults of its class."""

from collections.abc import Mapping
from typing import Any, final

from specs.errors import SpecError
from specs.families.catalogue import FAMILIES
from specs.families.family import Family

MODEL_TYPE = "model_type"
# Kinds of layers in lists of them.
WINDOWED_ATTENTION, FULL_ATTENTION = "sliding_attention", "full_attention"
CHUNKED_ATTENTION = "chunked_attention"
LINEAR_ATTENTION = "linear_attention"
# Keys of a multimodal config that are also those of its text part.
_OF_TEXT_TOO = ("tie_word_embeddings", "quantization_config", "torch_dtype", "dtype")


def text_part(content: Mapping[str, Any], origin: str) -> Mapping[str, Any]:
    """Return the part of a model spec's config that describes a language model.

    That is ``text_config`` in the config of a multimodal model, and otherwise all; the
    type of an older one, which has a ``vision_config`` alone, is that of its text.

    Raises
    ------
    SpecError
        If ``text_config`` is no table.
    """
    text = content.get("text_config")
    named = {MODEL_TYPE: f"{content.get(MODEL_TYPE)}_text"}
    if text is None and "vision_config" in content and named[MODEL_TYPE] in FAMILIES:
        # Older configs have the keys of the text part beside those of the other parts.
        return {**content, **named}
    if text is None or content.get(MODEL_TYPE) in FAMILIES:
        return content
    if not isinstance(text, Mapping):
        raise SpecError(f"{origin}: text_config = {text!r}: must be a table")
    shared = {key: content[key] for key in _OF_TEXT_TOO if key in content}
    # A part that does not name its own type has that of the model, with an ending.
    return {**shared, **named, **text}


@final
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
            Number if neither the config nor its class has one; 0 to refuse that, and
            a null.
        if_null
            Number if the config says null; 0 if null is the same as an absent key.
        """
        key, value = self.value(field)
        if value is None and self.states(field):
            value = if_null or (self.default(field) if otherwise else None)
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

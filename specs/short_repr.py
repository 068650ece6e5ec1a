"""Short forms of records: a line for a prompt, and a table for a notebook.

Records of a run hold arrays of millions of numbers, and records of records. Here each
field is one phrase: an array its type and shape, a record its class, a long sequence
its length and the class of its elements.
"""

import dataclasses
import html
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from typing import Any

import numpy as np
from pydantic import BaseModel

_SHOWN_LETTERS = 60
# Elements that are shown themselves if they are plain values.
_SHOWN_ELEMENTS = 4


def short_repr(record: Any) -> str:
    """Return a record of specs, plans or results in a line: its class and its fields.

    It serves as the ``__repr__`` of a data class, a named tuple or a spec.

    Examples
    --------
    >>> from specs.validation import Spec
    >>> class Cable(Spec):
    ...     length_m: float = 1.0
    >>> short_repr(Cable())
    'Cable(length_m=1.0)'
    """
    inside = ", ".join(f"{name}={phrase(value)}" for name, value in _fields(record))
    return f"{type(record).__name__}({inside})"


def html_table(record: Any) -> str:
    """Return a record as an HTML table of its fields, for a notebook.

    It serves as its ``_repr_html_``.
    """
    rows = "".join(
        f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
        f"<td style='text-align:left'>{html.escape(phrase(value))}</td></tr>"
        for name, value in _fields(record)
    )
    caption = html.escape(type(record).__name__)
    return f"<table><caption>{caption}</caption>{rows}</table>"


def phrase(value: Any) -> str:
    """Return the value of a record's field as a short phrase.

    >>> phrase(np.zeros((2, 3))), phrase(range(1000)), phrase("x")
    ('float64[2, 3]', 'range(0, 1000)', "'x'")
    """
    if isinstance(value, np.ndarray):
        return f"{value.dtype}[{', '.join(map(str, value.shape))}]"
    if _is_record(value):
        return f"<{type(value).__name__}{_name(value)}>"
    if isinstance(value, Mapping | AbstractSet) and len(value) > _SHOWN_ELEMENTS:
        return f"<{type(value).__name__} of {len(value):,}>"
    if isinstance(value, tuple | list):
        return _sequence(value)
    return _shortened(str(value) if isinstance(value, Enum) else repr(value))


def _sequence(values: Sequence[Any]) -> str:
    """Return the elements of a record's field if they are few, else their number."""
    few = len(values) <= _SHOWN_ELEMENTS
    if few and not any(map(_is_record, values)):
        text = ", ".join(map(phrase, values))
        return f"({text},)" if len(values) == 1 else f"({text})"
    kinds = sorted({type(value).__name__ for value in values})
    return f"<{len(values):,} x {' or '.join(kinds)}>"


def _name(record: Any) -> str:
    """Return the name of a record, or its text if its class defines one."""
    name = getattr(record, "name", None)
    if not isinstance(name, str):
        kind = type(record)
        own = any("__str__" in vars(each) for each in kind.__mro__[:-1])
        plain = not own or isinstance(record, BaseModel | tuple)
        name = "" if plain else str(record)
    return f" {_shortened(name)}" if name else ""


def _shortened(text: str) -> str:
    """Return a text of a record's field, cut if it is long."""
    return text if len(text) <= _SHOWN_LETTERS else f"{text[:_SHOWN_LETTERS]}..."


def _is_record(value: Any) -> bool:
    """Return whether a value has fields of its own."""
    fields = hasattr(type(value), "_fields")
    return fields or dataclasses.is_dataclass(value) or isinstance(value, BaseModel)


def _fields(record: Any) -> Iterator[tuple[str, Any]]:
    """Yield the names and values of a record's fields."""
    if isinstance(record, BaseModel):
        names = list(type(record).model_fields)
    elif dataclasses.is_dataclass(record):
        names = [field.name for field in dataclasses.fields(record)]
    else:
        names = list(record._fields)
    for name in names:
        yield name, getattr(record, name)

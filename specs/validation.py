"""Validation of TOML and JSON files: frozen values, or errors that name every fault."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from specs.bounds import LARGEST_NUMBER
from specs.errors import SpecError, nearest
from specs.input_files import read_text, shortened


class Spec(BaseModel):
    """Frozen value that refuses unknown keys and validates its defaults."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False
    )
    unbounded: ClassVar[tuple[str, ...]] = ()
    """Fields that may hold a whole number of any size."""

    @field_validator("*", mode="before")
    @classmethod
    def _booleans_are_not_numbers(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, bool):
            wanted = cls.model_fields[str(info.field_name)].annotation
            if {wanted, *get_args(wanted)} & {int, float}:
                raise ValueError("must be a number")
        return value

    @field_validator("*", mode="after")
    @classmethod
    def _numbers_are_bounded(cls, value: Any, info: ValidationInfo) -> Any:
        bounded = info.field_name not in cls.unbounded
        if bounded and isinstance(value, int) and abs(value) > LARGEST_NUMBER:
            raise ValueError(f"must be at most {LARGEST_NUMBER:,}")
        return value


S = TypeVar("S", bound=BaseModel)


def read_mapping(path: Path) -> dict[str, Any]:
    """Return the content of a ``.toml`` or ``.json`` spec file as a mapping.

    Raises
    ------
    SpecError
        If the file is missing, unreadable, malformed, nested too deep, or no mapping.
    """
    text = read_text(path)
    try:
        content = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except json.JSONDecodeError as error:
        raise SpecError(
            f"{path}: not valid JSON at line {error.lineno}, column {error.colno}: "
            f"{error.msg}; is the file complete?"
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"{path}: not valid TOML: {error}") from None
    except RecursionError:
        raise SpecError(
            f"{path}: tables or lists lie in each other too deep to be read"
        ) from None
    except ValueError as error:
        # Such as a whole number of more digits than Python converts.
        raise SpecError(f"{path}: {str(error).partition(';')[0]}") from None
    if not isinstance(content, dict):
        raise SpecError(f"{path}: holds a {type(content).__name__}, expected keys")
    return content


def build(kind: type[S], content: Mapping[str, Any], origin: str) -> S:
    """Return `content` as a spec of `kind`, or one error that names every fault.

    Parameters
    ----------
    kind
        Class of the value.
    content
        Keys and values, nested as in the file.
    origin
        Origin of the content, for the message.

    Raises
    ------
    SpecError
        If a key is unknown or missing, or a value is out of range. The message names
        each key by its dotted path, the value, and the remedy.
    """
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        faults = [_fault(kind, dict(item)) for item in error.errors()]
        raise SpecError(f"{origin}: {'; '.join(dict.fromkeys(faults))}") from None


def _fault(kind: type[BaseModel], item: dict[str, Any]) -> str:
    """Return the message for one spec error of pydantic."""
    path = _keys(kind, [str(part) for part in item["loc"]])
    name = ".".join(path)
    if item["type"] == "extra_forbidden":
        hint = nearest(path[-1], _table_at(kind, path[:-1]).model_fields)
        where = f"[{'.'.join(path[:-1])}] has" if path[:-1] else "there is"
        return f"{where} no key {path[-1]!r}; {hint}"
    if item["type"] == "missing":
        return f"key {name!r} is missing"
    message = (
        item["msg"].replace("Input should be", "must be").removeprefix("Value error, ")
    )
    if not name or isinstance(item["input"], dict):
        # A check of several keys states their values in its own message.
        return f"[{name}] {message}" if name else message
    return f"{name} = {shortened(repr(item['input']))}: {message}"


def _keys(kind: type[BaseModel], path: list[str]) -> list[str]:
    """Return the keys of a spec error's path, without the branch of a union."""
    for end, part in enumerate(path, start=1):
        if part.isdecimal():
            # An entry of a list of tables: what follows is a key of its kind.
            continue
        table = _table(kind, part)
        if table is None:
            return path[:end]
        kind = table
    return path


def _table_at(kind: type[BaseModel], path: list[str]) -> type[BaseModel]:
    """Return the spec class of the table at a path of keys."""
    for part in path:
        kind = _table(kind, part) or kind
    return kind


def _table(kind: type[BaseModel], key: str) -> type[BaseModel] | None:
    """Return the spec class of the table below `key`, or None for a plain value."""
    field = kind.model_fields.get(key)
    if field is None:
        return None
    candidates = [field.annotation, *get_args(field.annotation)]
    return next(
        (c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)),
        None,
    )

"""The families that are modelled; a file is read only when its family is asked for."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, final

from specs.errors import SpecError, nearest
from specs.families.family import Family
from specs.shipped_files import shipped_names, shipped_path
from specs.validation import build, read_mapping

# What a family has of its own even if it extends another one.
_NOT_INHERITED = ("source", "extends", "defaults")


@cache
def family_names() -> tuple[str, ...]:
    """Return the names of the modelled families, sorted."""
    return shipped_names("families", ".toml")


@cache
def load_family(name: str) -> Family:
    """Return a family by its ``model_type``.

    Raises
    ------
    SpecError
        If there is no such family, or its file has an unknown key or a wrong value.
    """
    return build(Family, _content(name), f"{name}.toml")


def _content(name: str) -> dict[str, Any]:
    """Return the content of a family's file, with what it takes from another one."""
    if name not in family_names():
        raise SpecError(f"no family {name!r}; {nearest(name, family_names())}")
    own = read_mapping(shipped_path("families", f"{name}.toml"))
    if "extends" not in own:
        return own
    merged = _content(own["extends"])
    for key in _NOT_INHERITED:
        merged.pop(key, None)
    for key, value in own.items():
        inherited = merged.get(key)
        if isinstance(value, dict) and isinstance(inherited, dict):
            merged[key] = inherited | value
        else:
            merged[key] = value
    return merged


@final
class _Families(Mapping[str, Family]):
    """All families by name, each read when it is first looked up."""

    def __getitem__(self, name: str) -> Family:
        if name not in family_names():
            raise KeyError(name)
        return load_family(name)

    def __iter__(self) -> Iterator[str]:
        return iter(family_names())

    def __len__(self) -> int:
        return len(family_names())


FAMILIES: Mapping[str, Family] = _Families()

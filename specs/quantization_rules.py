"""Rules of a quantisation, and typed access to the table of a config that has them."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from specs.formats import Format
from specs.model_formats import WeightGroup
from specs.weight_formats import WeightFormat

# Groups whose matrices are linear layers of a decoder.
LAYERS = (
    WeightGroup.ATTENTION,
    WeightGroup.FEED_FORWARD,
    WeightGroup.EXPERTS,
    WeightGroup.SHARED_EXPERTS,
)
_LINEAR = "Linear"
_MOST_INPUTS = 1 << 24


Targets = tuple[tuple[tuple[str, ...], WeightFormat | None], ...]


class QuantizationError(ValueError):
    """Key of a quantisation that is not understood, with its value and the remedy."""


class Rules(NamedTuple):
    """Rules by which a method quantises the matrices of a model.

    Attributes
    ----------
    targets
        Names of modules, or ``Linear`` for all, and their format; None for one that
        stays as it is. The first that means a module counts, ``Linear`` last.
    groups
        Groups of tensors that the method quantises at all.
    skips
        Names of modules that it leaves as they are.
    skips_key
        Key of the config that lists them, for messages.
    kv_cache
        Format of the KV cache, None if it is left open.
    dense
        Whether it is understood of models without experts alone.
    """

    targets: Targets
    groups: tuple[WeightGroup, ...] = LAYERS
    skips: tuple[str, ...] = ()
    skips_key: str = "modules_to_not_convert"
    kv_cache: Format | None = None
    dense: bool = False


class RulesTable:
    """Table of a config with typed access to its keys."""

    def __init__(self, content: Mapping[str, Any], prefix: str = "") -> None:
        self.content = content
        self.prefix = prefix

    def fault(self, key: str, remedy: str) -> QuantizationError:
        """Return the error of a rule's key, with its value and the remedy."""
        value = self.content.get(key)
        return QuantizationError(f"{self.prefix}{key} = {value!r}: {remedy}")

    def knows(self, *keys: str) -> None:
        """Refuse a key that is none of `keys`, unless it asks for nothing."""
        for key, value in self.content.items():
            if value and key not in (*keys, "quant_method"):
                raise QuantizationError(f"{self.prefix}{key} is not understood")

    def flag(self, key: str, *, otherwise: bool) -> bool:
        """Return whether a key of rules is true, or what counts without it."""
        value = self.content.get(key)
        if value is None:
            return otherwise
        if not isinstance(value, bool):
            raise self.fault(key, "must be true or false")
        return value

    def number(self, key: str, otherwise: int | None = None) -> int:
        """Return the whole number at a key of rules."""
        value = self.content.get(key, otherwise)
        if type(value) is not int:
            raise self.fault(key, "must be a whole number")
        return value

    def names(self, key: str) -> tuple[str, ...]:
        """Return the names of modules at a key of rules."""
        value = self.content.get(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(n, str) for n in value):
            raise self.fault(key, "must be a list of names of modules")
        return tuple(value)

    def table(self, key: str) -> "RulesTable | None":
        """Return the table at a key of rules, None if it is empty."""
        value = self.content.get(key)
        if not value:
            return None
        if not isinstance(value, Mapping):
            raise self.fault(key, "must be a table")
        return RulesTable(value, f"{self.prefix}{key}.")

    def group_inputs(self, key: str) -> int:
        """Return the inputs of a group, 0 for all of them."""
        size = self.number(key)
        if size == -1:
            return 0
        if not 1 <= size <= _MOST_INPUTS:
            raise self.fault(key, "must be a number of inputs, or -1 for all")
        return size

    def block(self, key: str) -> tuple[int, int]:
        """Return the outputs and inputs of a block."""
        value = self.content[key]
        if isinstance(value, str) and value.count("x") == 1:
            sides = [int(s) if s.isdecimal() else 0 for s in value.split("x")]
        else:
            sides = list(value) if isinstance(value, list) else []
        if len(sides) != 2 or not all(  # noqa: PLR2004
            type(side) is int and 1 <= side <= _MOST_INPUTS for side in sides
        ):
            raise self.fault(key, "must be the outputs and inputs of a block")
        return sides[0], sides[1]

    def element(self, key: str, known: Mapping[int, Format]) -> Format:
        """Return the format of elements of as many bits as a key of rules says."""
        bits = self.number(key)
        if bits not in known:
            widths = " or ".join(map(str, known))
            raise self.fault(key, f"weights of {widths} bits are understood")
        return known[bits]


def all_in(stored: WeightFormat) -> Targets:
    """Return targets that store all linear layers in one format."""
    return (((_LINEAR,), stored),)


def is_every_module(targets: Collection[str]) -> bool:
    """Return whether targets of a quantisation are all linear layers."""
    return _LINEAR in targets

"""Mapping keyed by the identity of objects, for results that are computed once."""

from collections.abc import Callable
from typing import Generic, TypeVar, final

Key = TypeVar("Key")
Value = TypeVar("Value")


@final
class IdentityMap(Generic[Key, Value]):
    """What was computed of objects that are too large to compare by value.

    A key is kept alive as long as the map, so that no other object can have its `id`.

    Examples
    --------
    >>> lengths: IdentityMap[list[int], int] = IdentityMap()
    >>> row = [1, 2, 3]
    >>> lengths.of(row, len), lengths.of(row, sum)
    (3, 3)
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[Key, Value]] = {}

    def __len__(self) -> int:
        """Return how many keys there are."""
        return len(self._known)

    def of(self, key: Key, compute: Callable[[Key], Value]) -> Value:
        """Return the value of `key`, computed at the first call."""
        known = self._known.get(id(key))
        if known is None:
            known = self._known[id(key)] = key, compute(key)
        return known[1]

"""Identity map: a cache whose keys are objects, compared by identity."""

from collections.abc import Callable
from typing import Generic, TypeVar, final

Key = TypeVar("Key")
Value = TypeVar("Value")


@final
class IdentityMap(Generic[Key, Value]):
    """Cache of results for objects that are too large to compare by value.

    The map keeps its keys alive, so that no other object can get the `id` of one.

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
        """Return the number of keys."""
        return len(self._known)

    def of(self, key: Key, compute: Callable[[Key], Value]) -> Value:
        """Return the value of `key`, computed at the first call."""
        known = self._known.get(id(key))
        if known is None:
            known = self._known[id(key)] = key, compute(key)
        return known[1]

"""Message table: the messages of a phase as columns, hashable and comparable."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Self, final

import numpy as np
from numpy.typing import NDArray

from specs.arrays import Ints


class Message(NamedTuple):
    """Message: a payload from one chip to another."""

    source: int
    target: int
    payload_bytes: int


@final
@dataclass(frozen=True, eq=False)
class MessageTable:
    """Table of messages that start together; tables with equal columns are equal.

    Parameters
    ----------
    source, target
        Chips, shape ``(messages,)``.
    payload_bytes
        Size of each payload, shape ``(messages,)``.
    """

    source: Ints
    target: Ints
    payload_bytes: Ints

    @classmethod
    def of(cls, rows: Iterable[tuple[int, int, int]]) -> Self:
        """Return the table of rows of source, target and bytes."""
        table = np.array(list(rows), dtype=np.int64).reshape(-1, 3).T
        return cls(*np.ascontiguousarray(table))

    @classmethod
    def joined(cls, parts: list["MessageTable"]) -> Self:
        """Return the table of all messages, one part after the other."""
        return cls(
            np.concatenate([part.source for part in parts]),
            np.concatenate([part.target for part in parts]),
            np.concatenate([part.payload_bytes for part in parts]),
        )

    def chosen(self, rows: NDArray[np.bool_]) -> "MessageTable":
        """Return the table of the messages whose flag is set, in their order."""
        return MessageTable(
            self.source[rows], self.target[rows], self.payload_bytes[rows]
        )

    @cached_property
    def _key(self) -> bytes:
        return np.concatenate([self.source, self.target, self.payload_bytes]).tobytes()

    def __len__(self) -> int:
        return len(self.source)

    def __iter__(self) -> Iterator[Message]:
        rows = self.source.tolist(), self.target.tolist(), self.payload_bytes.tolist()
        return map(Message, *rows)

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MessageTable) and self._key == other._key

"""Message table: the messages of a phase as columns, hashable and comparable."""

from collections.abc import Callable, Iterable, Iterator
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
    path
        Directed links of each message, -1 after the last, shape ``(messages, longest
        path)``; only -1 for the minimal path. None if all are minimal.
    """

    source: Ints
    target: Ints
    payload_bytes: Ints
    path: Ints | None = None

    @classmethod
    def of(cls, rows: Iterable[tuple[int, int, int]]) -> Self:
        """Return the table of rows of source, target and bytes."""
        table = np.array(list(rows), dtype=np.int64).reshape(-1, 3).T
        return cls(*np.ascontiguousarray(table))

    @classmethod
    def joined(cls, parts: list["MessageTable"]) -> Self:
        """Return the table of all messages, one part after the other."""
        given = [part.path for part in parts if part.path is not None]
        width = max((path.shape[1] for path in given), default=0)
        paths = []
        for part in parts if given else []:
            path = np.full((len(part), width), -1, dtype=np.int64)
            if part.path is not None:
                path[:, : part.path.shape[1]] = part.path
            paths.append(path)
        return cls(
            np.concatenate([part.source for part in parts]),
            np.concatenate([part.target for part in parts]),
            np.concatenate([part.payload_bytes for part in parts]),
            np.concatenate(paths) if given else None,
        )

    def chosen(self, rows: NDArray[np.bool_]) -> "MessageTable":
        """Return the table of the messages whose flag is set, in their order."""
        return MessageTable(
            self.source[rows],
            self.target[rows],
            self.payload_bytes[rows],
            None if self.path is None else self.path[rows],
        )

    def turned(self) -> "MessageTable":
        """Return the table in which every target sends to its source, on its path."""
        back = None
        if self.path is not None:
            # The directions of cable k are the links 2k and 2k + 1.
            back = np.where(self.path >= 0, self.path ^ 1, -1)[:, ::-1]
            order = np.argsort(back < 0, axis=1, kind="stable")
            back = np.take_along_axis(back, order, axis=1)
        return MessageTable(self.target, self.source, self.payload_bytes, back)

    def paths(self, minimal: Callable[[Ints, Ints], NDArray[np.integer]]) -> Ints:
        """Return the path of each message, like `path`.

        Parameters
        ----------
        minimal
            Returns the minimal paths from sources to targets.
        """
        rest = slice(None) if self.path is None else self.path[:, 0] < 0
        found = minimal(self.source[rest], self.target[rest]).astype(np.int64)
        if self.path is None:
            return found
        width = max(self.path.shape[1], found.shape[1])
        made = np.full((len(self), width), -1, dtype=np.int64)
        made[:, : self.path.shape[1]] = self.path
        made[rest, : found.shape[1]] = found
        return made

    @cached_property
    def _key(self) -> bytes:
        columns = [self.source, self.target, self.payload_bytes]
        if self.path is not None:
            columns.append(self.path.ravel())
        return np.concatenate(columns).tobytes()

    def __len__(self) -> int:
        return len(self.source)

    def __iter__(self) -> Iterator[Message]:
        rows = self.source.tolist(), self.target.tolist(), self.payload_bytes.tolist()
        return map(Message, *rows)

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MessageTable) and self._key == other._key

"""Pieces: the columns of a collective's tensor that the messages of a phase carry."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specs.arrays import Ints

# Not the tensor of one member: the sum that the source has, or the only tensor.
NO_PART = -1


class Pieces(NamedTuple):
    """Pieces in the order in which messages carry them, one row for each.

    Attributes
    ----------
    message
        Row of the message, ascending, shape ``(pieces,)`` as every column here.
    first, last
        Range of columns, end exclusive, in the unit of the phase's payloads.
    part
        Member whose tensor it is of, in an all-to-all; `NO_PART` elsewhere.
    begin, end
        Of each message, the range of what its source has of the pieces that it carries,
        shape ``(messages,)``; None if it carries all.
    """

    message: Ints
    first: Ints
    last: Ints
    part: Ints
    begin: Ints | None = None
    end: Ints | None = None


PiecesOf = Callable[[], Pieces]
# Sets of members as the set bits of integers.
Members = NDArray[np.object_]


class Arrays(NamedTuple):
    """Arrays that messages carry, or that members add up.

    Attributes
    ----------
    owner
        Row of the message, or the member, ascending, shape ``(arrays,)``.
    first, last
        Range of columns.
    members
        Members whose tensors are summed in it; -1 - k for that of member `k` alone,
        which is not to be added, and None for the only tensor.
    """

    owner: Ints
    first: Ints
    last: Ints
    members: Members

    def chosen(self, rows: NDArray[np.bool_] | Ints) -> "Arrays":
        """Return some of the arrays."""
        edges = self.owner[rows], self.first[rows], self.last[rows]
        return Arrays(*edges, self.members[rows])


def ranges(
    message: Ints, first: Ints | int, last: Ints | int, part: Ints | int = NO_PART
) -> Pieces:
    """Return pieces of messages from columns, or one number for all."""
    columns = np.broadcast_arrays(message, first, last, part)
    return Pieces(*(column.astype(np.int64) for column in columns))


def each_message(
    first: Ints | int, last: Ints | int, part: Ints | int = NO_PART
) -> PiecesOf:
    """Return what returns a single piece of each message."""
    count = max(np.size(first), np.size(last), np.size(part))
    return lambda: ranges(np.arange(count), first, last, part)


def kept(pieces: PiecesOf, real: NDArray[np.bool_]) -> Pieces:
    """Return the pieces of some messages, numbered without the others."""
    made = pieces()
    own = real[made.message]
    number = np.cumsum(real) - 1
    columns = [column[own] for column in made[1:4]]
    cut = [None if column is None else column[real] for column in made[4:]]
    return Pieces(number[made.message[own]], *columns, *cut)


def scaled(pieces: PiecesOf, unit: int) -> Pieces:
    """Return pieces in bytes from pieces in units of so many bytes."""
    made = pieces()
    cut = [None if column is None else column * unit for column in made[4:]]
    edges = made.first * unit, made.last * unit
    return Pieces(made.message, *edges, made.part, *cut)


def cut(
    message: Ints, first: Ints, last: Ints, begin: Ints, end: Ints
) -> tuple[Ints, Ints]:
    """Return pieces of messages, shortened to a range of what each carries.

    Parameters
    ----------
    message, first, last
        Pieces, as in `Pieces`.
    begin, end
        Range within all that a message carries, of each message, shape ``(messages,)``.

    Returns
    -------
    tuple of NDArray
        First and last column of each piece; those outside are empty.
    """
    size = last - first
    total = np.cumsum(size)
    before = total - size
    opens = np.flatnonzero(np.diff(message, prepend=-1))
    offset = before - np.repeat(before[opens], np.diff(np.append(opens, len(message))))
    low = np.clip(begin[message] - offset, 0, size)
    high = np.clip(end[message] - offset, 0, size)
    return first + low, first + np.maximum(low, high)


def arrays_of(edges: NDArray[np.int64], members: Members) -> Arrays:
    """Return the arrays of rows of owner, first and last column: equal neighbours join.

    Rows are in the order of owners, and then of columns.
    """
    owner, first, last = edges
    follows = (owner[1:] == owner[:-1]) & (first[1:] == last[:-1])
    follows &= (members[1:] == members[:-1]).astype(bool)
    opens = np.flatnonzero(np.concatenate([[True], ~follows])[: len(owner)])
    ends = np.append(opens[1:], len(owner))[: len(opens)] - 1
    return Arrays(owner[opens], first[opens], last[ends], members[opens])


def ranges_of_members(members: int) -> list[tuple[int, int]]:
    """Return the ranges of the members in a set."""
    if members < 0:
        return [(-1 - members, -members)]
    made, place = [], 0
    while members >> place:
        low = members >> place
        place += (low & -low).bit_length() - 1
        run = members >> place
        count = (~run & (run + 1)).bit_length() - 1
        made.append((place, place + count))
        place += count
    return made

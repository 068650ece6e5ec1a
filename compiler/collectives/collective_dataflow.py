"""Dataflow of a collective alone: what its messages carry, and what members add up.

Members that add keep sums by their columns: for each interval the set of members whose
tensors are in it. A sum of all of them is complete: another value than the tensor.
"""

from functools import cached_property, partial
from typing import final

import numpy as np
from numpy.typing import NDArray

from chip.dataflow import Function
from compiler.collectives.contents import member_hops
from compiler.collectives.phases import Phase
from compiler.collectives.pieces import (
    NO_PART,
    Arrays,
    Members,
    Pieces,
    arrays_of,
    cut,
    ranges,
    ranges_of_members,
)
from compiler.ir.entry_dataflow import EntryDataflow, Scope
from sharding.operators.operands import Operand, Operation
from specs.arrays import Ints
from workloads.collective import SUM, TENSOR, Collective

_SCOPE = Scope(0, "", 0, answers=False)
_ADDITION = "add_up"
# A member's own sum, and those that it passes on without it.
_SUMS = 3


@final
class CollectiveDataflow:
    """Dataflow of the phases of a collective, made when a program is emitted.

    Parameters
    ----------
    kind
        Collective.
    phases, chips
        Its phases, and its members in order.
    """

    def __init__(
        self, kind: Collective, phases: tuple[Phase, ...], chips: Ints
    ) -> None:
        self._kind = kind
        self._phases = phases
        self._chips = chips
        self._full = (1 << len(chips)) - 1
        self._is_stated = all(each.pieces is not None for each in phases)

    def carried(self, number: int, begin: Ints, end: Ints) -> EntryDataflow | None:
        """Return the dataflow of a part of a phase, None if it is not recorded.

        Parameters
        ----------
        number
            Number of the phase.
        begin, end
            Range of the bytes of each of its messages; those without any are left out.
        """
        if not self._is_stated:
            return None
        made = partial(self._carried, number, begin, end)
        return EntryDataflow(_SCOPE, self._chips, carried=made)

    def added(self, number: int) -> EntryDataflow | None:
        """Return the dataflow of the additions after a phase, None as for `carried`."""
        if not self._is_stated:
            return None
        made = partial(self._added, number)
        return EntryDataflow(_SCOPE, self._chips, operations=made)

    def _carried(self, number: int, begin: Ints, end: Ints) -> tuple[Operand, ...]:
        sent = self._steps[number][0]
        place = np.cumsum(begin < end) - 1
        first, last = cut(sent.owner, sent.first, sent.last, begin, end)
        rows = np.flatnonzero(first < last)
        owner = place[sent.owner[rows]]
        return self._operands(
            Arrays(owner, first[rows], last[rows], sent.members[rows])
        )

    def _operands(self, arrays: Arrays) -> tuple[Operand, ...]:
        """Return the operands of arrays: of the tensor, and of complete sums."""
        known: dict[int | None, list[tuple[int, int]]] = {None: [(0, 1)]}
        held = arrays.members.tolist()
        for members in set(held) - set(known):
            known[members] = ranges_of_members(members)
        complete = np.array([each == self._full for each in held], dtype=bool)
        complete &= self._kind.adds
        made = []
        for value, own in ((TENSOR, ~complete), (SUM, complete)):
            rows = np.flatnonzero(own)
            parts = [known[held[row]] if value == TENSOR else [(0, 1)] for row in rows]
            again = np.repeat(rows, [len(each) for each in parts])
            edges = np.array([e for each in parts for e in each], dtype=np.int64)
            low, high = edges.reshape(-1, 2).T
            made.append(
                Operand(
                    value,
                    arrays.owner[again],
                    arrays.first[again],
                    arrays.last[again],
                    low,
                    high,
                    again,
                )
            )
        return tuple(each for each in made if len(each.member))

    def _added(self, number: int) -> tuple[Operation, ...]:
        partial_sums, complete = self._steps[number][1:]
        made = []
        if len(partial_sums.owner):
            summed = self._operands(partial_sums)
            made.append(Operation(_ADDITION, Function.PARTIAL_SUM, summed, summed))
        # A member makes one result of each of its operations.
        opens = np.searchsorted(complete.owner, complete.owner)
        turn = np.arange(len(opens)) - opens
        for place in range(int(turn.max(initial=-1)) + 1):
            own = turn == place
            columns = complete.owner[own], complete.first[own], complete.last[own]
            zero = 0 * columns[0]
            read = Operand(TENSOR, *columns, zero, zero + len(self._chips))
            total = Operand(SUM, *columns, zero, zero + 1)
            made.append(Operation(_ADDITION, Function.ADD, (read,), (total,)))
        return tuple(made)

    @cached_property
    def _steps(self) -> list[tuple[Arrays, Arrays, Arrays]]:
        """What each phase carries, and the partial and complete sums after it."""
        pieces = [each.pieces() for each in self._phases if each.pieces is not None]
        none = arrays_of(np.zeros((3, 0), dtype=np.int64), np.zeros(0, dtype=object))
        ends = member_hops(self._phases, self._chips)
        if not self._kind.adds:
            made = [_unsummed(each) for each in pieces]
            if self._kind is Collective.BROADCAST:
                # The root has all from the start, so that messages to it bring nothing.
                news = [
                    pair[1][each.owner] > 0
                    for pair, each in zip(ends, made, strict=True)
                ]
                made = [
                    each.chosen(rows) for each, rows in zip(made, news, strict=True)
                ]
            return [(each, none, none) for each in made]
        sums = _Sums(len(self._chips), pieces)
        last = np.full(len(self._chips), -1)
        for number, phase in enumerate(self._phases):
            last[ends[number][1]] = number if phase.adds else last[ends[number][1]]
        return [
            sums.step(phase, pair, each, last == number)
            for number, (phase, pair, each) in enumerate(
                zip(self._phases, ends, pieces, strict=True)
            )
        ]


@final
class _Sums:
    """Sums that members have, interval by interval."""

    def __init__(self, members: int, pieces: list[Pieces]) -> None:
        edges = [edge for each in pieces for edge in (each.first, each.last)]
        self._edges = np.unique(np.concatenate([[0], *edges]))
        shape = _SUMS, members, len(self._edges) - 1
        self._held = np.full(shape, 0, dtype=object)
        self._held[0] = np.array([1 << n for n in range(members)], dtype=object)[
            :, None
        ]
        self._full = (1 << members) - 1

    def step(
        self, phase: Phase, ends: Ints, pieces: Pieces, at_last: NDArray[np.bool_]
    ) -> tuple[Arrays, Arrays, Arrays]:
        """Return what a phase carries, and the partial and complete sums after it.

        Parameters
        ----------
        phase, ends, pieces
            The phase, its messages' ends as members, and what they carry.
        at_last
            Members that add for the last time.
        """
        source, target = ends
        if pieces.begin is not None and pieces.end is not None:
            message, place = self._sent(phase, source, pieces)
            edges = self._edges[place], self._edges[place + 1]
            first, last = cut(message, *edges, pieces.begin, pieces.end)
            self._split(np.concatenate([first, last]))
            pieces = ranges(message, first, last)
        message, place = self._sent(phase, source, pieces)
        carried = self._held[phase.sums.sent][source[message], place]
        sent = self._arrays(message, place, carried)
        arrived = np.full(self._held[0].shape, 0, dtype=object)
        count = np.zeros(arrived.shape, dtype=np.int64)
        np.bitwise_or.at(arrived, (target[message], place), carried)
        np.add.at(count, (target[message], place), 1)
        if not phase.adds:
            self._held[0] = np.where(count > 0, arrived, self._held[0])
            none = np.zeros_like(count, dtype=bool)
            return sent, self._marked(none, arrived), self._marked(none, arrived)
        adds = np.zeros(len(count), dtype=bool)
        adds[target] = True
        _, into, joins = phase.sums
        made = arrived
        for number in joins:
            made = made | self._held[number]
            count += self._held[number] != 0
            if number != into:
                self._held[number][adds] = 0
        self._held[into] = np.where(adds[:, None], made, self._held[into])
        summed = adds[:, None] & (count > 1)
        whole = summed & (made == self._full)
        there = self._held[0] | self._held[1] | self._held[2]
        rest = at_last[:, None] & (there == self._full) & (made != self._full)
        return (
            sent,
            self._marked(summed & ~whole, made),
            self._marked(whole | (rest & (self._held[0] != self._full)), there),
        )

    def _sent(self, phase: Phase, source: Ints, pieces: Pieces) -> tuple[Ints, Ints]:
        """Return the intervals of each message's pieces of which its source has any."""
        low = np.searchsorted(self._edges, pieces.first)
        count = np.searchsorted(self._edges, pieces.last) - low
        row = np.repeat(np.arange(len(count)), count)
        place = np.arange(len(row)) - np.repeat(np.cumsum(count) - count - low, count)
        message = pieces.message[row]
        has = self._held[phase.sums.sent][source[message], place] != 0
        return message[has], place[has]

    def _split(self, edges: Ints) -> None:
        """Split intervals at more edges."""
        made = np.union1d(self._edges, edges)
        place = np.searchsorted(self._edges, made[:-1], "right") - 1
        self._edges, self._held = made, self._held[:, :, place]

    def _marked(self, flags: NDArray[np.bool_], members: Members) -> Arrays:
        """Return the arrays of intervals that are marked, by member."""
        owner, place = np.nonzero(flags)
        return self._arrays(owner, place, members[owner, place])

    def _arrays(self, owner: Ints, place: Ints, members: Members) -> Arrays:
        """Return the arrays of intervals: equal ones side by side are one."""
        edges = np.array([owner, self._edges[place], self._edges[place + 1]])
        return arrays_of(edges, members)


def _unsummed(pieces: Pieces) -> Arrays:
    """Return the arrays that messages carry if members add nothing."""
    first, last = pieces.first, pieces.last
    if pieces.begin is not None and pieces.end is not None:
        first, last = cut(pieces.message, first, last, pieces.begin, pieces.end)
    rows = np.flatnonzero(first < last)
    rows = rows[np.lexsort((first[rows], pieces.part[rows], pieces.message[rows]))]
    named = [
        None if part == NO_PART else -1 - part for part in pieces.part[rows].tolist()
    ]
    return arrays_of(
        np.array([pieces.message[rows], first[rows], last[rows]]),
        np.array(named, dtype=object),
    )

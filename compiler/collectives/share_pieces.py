"""Pieces of shares: which of them each message carries on its way to its owner.

An all-gather or reduce-scatter has the shares of its exchange, one of each member.
"""

from functools import cached_property, partial
from typing import final

import numpy as np

from compiler.collectives.contents import gathered_shards, member_hops
from compiler.collectives.flat_algorithms import slice_edges
from compiler.collectives.phases import Phase
from compiler.collectives.pieces import NO_PART, Pieces, PiecesOf, ranges
from compiler.routing.gateways import Gateways
from specs.arrays import Ints

# Shares, counted on all members, that are proven in some seconds and two gigabytes.
MOST_SHARES = 600_000


@final
class SharePieces:
    """Record of what messages carry while shares move to their owners.

    Shares that are not added are told apart by the member that they are of.

    Parameters
    ----------
    gateways, members
        Positions of the members, and the members in order.
    size
        Vectors of each share; shares follow each other in the tensor.
    merges
        Whether shares that meet are added.
    """

    def __init__(
        self, gateways: Gateways, members: Ints, size: Ints, *, merges: bool
    ) -> None:
        self._at = gateways
        self._last = np.cumsum(size)
        self._first = self._last - size
        # Parallel cables have shares of their own.
        shares = min(int(np.count_nonzero(size)), len(members))
        self._recorded = shares * len(members) <= MOST_SHARES
        self._separate = not merges and self._recorded
        if self._separate:
            # Each share of each member, and the row of `ShareRouting` that it is in.
            self._number = np.full(len(gateways.node), NO_PART, dtype=np.int64)
            self._number[members] = np.arange(len(members))
            self._chip = np.repeat(members, len(size))
            self._share = np.tile(np.arange(len(size)), len(members))
            self._part = np.repeat(np.arange(len(members)), len(size))
            self._row = np.zeros_like(self._part)

    def to_gateways(self, chip: Ints, share: Ints, whole: Ints) -> PiecesOf | None:
        """Return what returns the pieces that chips of a node send to its gateways.

        Parameters
        ----------
        chip, share
            Gateway and number of each share that leaves its node.
        whole
            Vectors for the target of each local link, which parallel links divide.
        """
        if not self._recorded:
            return None
        local = self._at.local
        order = np.lexsort((share, chip))
        chip, share = chip[order], share[order]
        gateway = self._at.target[local.links]
        low = np.searchsorted(chip, gateway)
        count = np.searchsorted(chip, gateway, "right") - low
        message = np.repeat(np.arange(len(gateway)), count)
        within = np.arange(len(message)) - np.repeat(np.cumsum(count) - count, count)
        own = share[np.repeat(low, count) + within]
        part: Ints | int = NO_PART
        if self._separate:
            part = self._number[self._at.source[local.links]][message]
        made = ranges(message, self._first[own], self._last[own], part)
        if local.parallel.max(initial=1) > 1:
            end = local.ends(whole)
            made = made._replace(begin=end - local.shared(whole), end=end)
        return lambda: made

    def follow(self, chip: Ints, share: Ints, leaving: int) -> None:
        """Find each member's shares in the rows after the first step.

        Parameters
        ----------
        chip, share
            Chip and number of each row.
        leaving
            Rows of shares that leave their node; the others stay on their own chips.
        """
        if not self._separate:
            return
        node, count = self._at.node, len(self._first)
        # A share of a node is on one gateway of it, or on each chip.
        gone = node[chip[:leaving]] * count + share[:leaving]
        stays = chip[leaving:] * count + share[leaving:]
        wanted = node[self._chip] * count + self._share
        order = np.argsort(gone)
        at = np.searchsorted(gone[order], wanted)
        found = np.isin(wanted, gone)
        self._row[found] = order[at[found]]
        order = np.argsort(stays)
        own = (self._chip * count + self._share)[~found]
        self._row[~found] = leaving + order[np.searchsorted(stays[order], own)]

    def moving(self, share: Ints, link: Ints, used: Ints) -> PiecesOf | None:
        """Return what returns the pieces that cross links, one message each.

        Parameters
        ----------
        share, link
            Number of each row's share, and the link that it crosses, -1 for none.
        used
            Links that are crossed, ascending.
        """
        if not self._recorded:
            return None
        part = None
        if self._separate:
            share, link, part = self._share, link[self._row], self._part
        rows = np.flatnonzero(link >= 0)
        order = rows[np.lexsort((share[rows], link[rows]))]
        message, own = np.searchsorted(used, link[order]), share[order]
        # Empty shares cross no link.
        real = np.flatnonzero(self._first[own] < self._last[own])
        made = ranges(
            message[real],
            self._first[own[real]],
            self._last[own[real]],
            NO_PART if part is None else part[order[real]],
        )
        return lambda: made

    def merge(self, row: Ints) -> None:
        """Follow rows that have become others, by their numbers from then on."""
        if self._separate:
            self._row = row[self._row]


@final
class ExchangePieces:
    """Pieces of the phases of an all-gather or reduce-scatter among all its members.

    Parameters
    ----------
    phases
        Phases of the exchange.
    chips, shard_bytes
        Members in order, and the bytes of the shard of each.
    adds
        Whether it is a reduce-scatter.
    """

    def __init__(
        self, phases: tuple[Phase, ...], chips: Ints, shard_bytes: Ints, *, adds: bool
    ) -> None:
        self._phases = phases
        self._chips = chips
        self._edges = slice_edges(shard_bytes)
        self._adds = adds

    def of_phase(self, number: int) -> PiecesOf | None:
        """Return what returns the pieces of a phase, None if there are too many."""
        shares = np.count_nonzero(np.diff(self._edges))
        if shares * len(self._chips) > MOST_SHARES:
            return None
        return partial(self._made, number)

    def _made(self, number: int) -> Pieces:
        carried = self._shards[number]
        message = np.repeat(np.arange(len(carried)), [len(each) for each in carried])
        shard = np.array([one for each in carried for one in each], dtype=np.int64)
        real = np.flatnonzero(self._edges[shard] < self._edges[shard + 1])
        shard = shard[real]
        return ranges(message[real], self._edges[shard], self._edges[shard + 1])

    @cached_property
    def _shards(self) -> list[list[tuple[int, ...]]]:
        """Shards that each message of each phase carries."""
        ends = member_hops(self._phases, self._chips)
        hops = [list(zip(*pair.tolist(), strict=True)) for pair in ends]
        relays = any(phase.relays for phase in self._phases)
        width = len(self._chips)
        if not self._adds:
            return gathered_shards(hops, width, relays=relays)
        back = [[(b, a) for a, b in phase] for phase in reversed(hops)]
        return gathered_shards(back, width, relays=relays)[::-1]

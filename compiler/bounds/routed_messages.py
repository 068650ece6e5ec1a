"""Routed messages: the links of messages that start together, for any payloads.

Exchanges of a search differ in their sizes far more often than in their paths.
"""

from functools import cached_property
from typing import NamedTuple, final

import numpy as np

from compiler.cost.link_timing import LinkTiming
from specs.arrays import Ints
from topologies.routing.minimal_paths import NO_LINK


class _LinkUses(NamedTuple):
    """Uses of links by messages, those of a link behind each other.

    Attributes
    ----------
    message
        Message of each use, shape ``(uses,)``.
    ready
        Cycle in which its first vector can be on the link, shape ``(uses,)``.
    starts
        First use of each link, shape ``(links,)``.
    first
        The least `ready` of each link, shape ``(links,)``.
    """

    message: Ints
    ready: Ints
    starts: Ints
    first: Ints


@final
class RoutedMessages:
    """Messages on given paths: the least cycles of them for any payloads.

    Parameters
    ----------
    paths
        Directed links of each message, -1 after the last, shape
        ``(messages, longest path)``.
    timing
        The links.
    link_type
        Integer type that holds the number of any link; a narrow one is sorted by radix,
        in a tenth of the time.
    """

    def __init__(
        self, paths: Ints, timing: LinkTiming, link_type: type[np.integer]
    ) -> None:
        taken = paths != NO_LINK
        longest = int(taken.any(axis=0).sum())
        self._paths, self._taken = paths[:, :longest], taken[:, :longest]
        self._timing = timing
        self._link_type = link_type
        hop_cycles = np.where(
            self._taken, timing.latency_cycles[self._paths] + timing.guard_cycles, 0
        )
        # A vector passes through every chip between two hops.
        hop_cycles[:, :-1] += self._taken[:, 1:] * timing.pass_cycles
        self._step_cycles = hop_cycles
        through = hop_cycles.sum(axis=1)
        self._whole: Ints = timing.send_cycles + through + timing.receive_cycles

    @property
    def longest_cycles(self) -> int:
        """Return the cycles of the message that takes longest if none waits.

        It is of a single vector.
        """
        return int(self._whole.max())

    @cached_property
    def _uses(self) -> _LinkUses:
        """Uses of each link."""
        taken, step_cycles = self._taken, self._step_cycles
        until = np.cumsum(step_cycles, axis=1) - step_cycles
        ready = (self._timing.send_cycles + until)[taken]
        link = self._paths[taken].astype(self._link_type)
        order = np.argsort(link, kind="stable")
        link = link[order]
        starts = np.flatnonzero(np.append(True, link[1:] != link[:-1]))
        message = np.nonzero(taken)[0][order]
        ready = ready[order]
        return _LinkUses(message, ready, starts, np.minimum.reduceat(ready, starts))

    @cached_property
    def _rest(self) -> Ints:
        """What is ahead of the first vector of each use's message, from its start."""
        uses = self._uses
        rest: Ints = self._whole[uses.message] - uses.ready
        return rest

    @cached_property
    def _even(self) -> tuple[Ints, Ints]:
        """Counts of uses that links have, and the longest paths over such links.

        A link that is used no more often, on paths no longer, than another is left out.
        """
        uses = self._uses
        count = np.diff(np.append(uses.starts, len(uses.message)))
        path = uses.first + np.minimum.reduceat(self._rest, uses.starts)
        longest = np.zeros(int(count.max()) + 1, dtype=np.int64)
        np.maximum.at(longest, count, path)
        # From the most used ones on.
        ahead = np.maximum.accumulate(longest[::-1])
        kept = np.flatnonzero(np.diff(ahead, prepend=0))
        return len(longest) - 1 - kept, ahead[kept]

    def cycles(self, line: Ints, tail: Ints) -> int:
        """Return a lower bound on the cycles in which messages are carried.

        A link that several messages use is busy for each of them in turn: the first can
        be there no sooner than its path allows, and the last has the rest of its path
        still ahead.

        Parameters
        ----------
        line, tail
            Cycles of each message on a wire, whole and without its first vector, shape
            ``(messages,)``.
        """
        if (line == line[0]).all():
            count, path = self._even
            links = path + (count - 1) * line[0]
            return int(max(self.longest_cycles, links.max()) + tail[0])
        uses = self._uses
        on_link = line[uses.message]
        rest = np.minimum.reduceat(self._rest + tail[uses.message], uses.starts)
        busy = np.add.reduceat(on_link, uses.starts)
        busy -= np.maximum.reduceat(on_link, uses.starts)
        whole = self._whole + tail
        return int(max(whole.max(), (uses.first + busy + rest).max()))

"""Prefix cache of a replica: blocks of positions kept in SRAM, then on the hosts."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, final

from serving.fleet.fleet import CacheSizes


class Cached(NamedTuple):
    """Positions of a prompt that a cache holds, and those of them on the hosts."""

    tokens: int
    restored_tokens: int


@final
@dataclass(slots=True)
class _Entry:
    """A block: its last use, the request that brings it, and when it is computed."""

    used: int
    request: int
    since: int | None = None


@final
class PrefixCache:
    """Blocks of prompts, the least recently used first.

    A block can be used from when the prompt that brought it has been computed.

    Parameters
    ----------
    sizes
        How much it holds.
    """

    def __init__(self, sizes: CacheSizes) -> None:
        self._sizes = sizes
        self._sram: OrderedDict[int, _Entry] = OrderedDict()
        self._host: OrderedDict[int, _Entry] = OrderedDict()

    def look_up(self, request: int, blocks: Sequence[int], now: int) -> Cached:
        """Return what is held of a prompt, and make its blocks the most recent ones.

        Parameters
        ----------
        request
            Number of the request.
        blocks
            The whole blocks of its prompt, by identity, from the first position on.
        now
            Cycle of the look-up.
        """
        found = restored = 0
        for block in blocks:
            entry = self._entry(block)
            if entry is None or entry.since is None or entry.since > now:
                break
            if now - entry.used > self._sizes.expiry_cycles:
                break
            found += 1
            restored += block not in self._sram
        # The first block of a prompt is of use without the others, so it leaves last.
        for block in reversed(blocks):
            self._touch(request, block, now)
        self._evict()
        size = self._sizes.block_tokens
        return Cached(found * size, restored * size)

    def computed(self, request: int, blocks: Sequence[int], at: int) -> None:
        """Say at which cycle a request has computed the blocks that it brings."""
        for block in blocks:
            entry = self._entry(block)
            if entry is not None and entry.request == request:
                entry.since = at

    def withdraw(self, request: int, blocks: Sequence[int]) -> None:
        """Drop the blocks that a request was to bring and will not compute."""
        for block in blocks:
            entry = self._entry(block)
            if entry is not None and entry.request == request:
                self._sram.pop(block, None)
                self._host.pop(block, None)

    def _entry(self, block: int) -> _Entry | None:
        """Return what is known of a block, None if it is not held."""
        return self._sram.get(block) or self._host.get(block)

    def _touch(self, request: int, block: int, now: int) -> None:
        """Make a block the most recently used one."""
        entry = self._sram.pop(block, None) or self._host.pop(block, None)
        if entry is None or now - entry.used > self._sizes.expiry_cycles:
            entry = _Entry(now, request)
        entry.used = now
        self._sram[block] = entry

    def _evict(self) -> None:
        """Move blocks that SRAM has no room for to the hosts, and drop others."""
        size = self._sizes.block_tokens
        while len(self._sram) * size > self._sizes.sram_tokens:
            block, entry = self._sram.popitem(last=False)
            self._host[block] = entry
        while len(self._host) * size > self._sizes.host_tokens:
            self._host.popitem(last=False)

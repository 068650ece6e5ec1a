"""Weights of the next product that load while the chips do something else.

A product streams its matrix from SRAM. Before it can start, chips exchange, wait for a
hand-over or work on vectors; meanwhile the way from SRAM to the weight buffers is free,
from the cycle in which the product before has read its last weight.
"""

from typing import NamedTuple, final

import numpy as np

from chip.operator_cycles import (
    feed_bytes_per_cycle,
    most_preload_cycles,
    preloaded,
    work_cycles,
)
from chip.operator_work import LoadWork, ProductWork, Work
from compiler.ir.identity_map import IdentityMap
from sharding.operators.operators import Compute
from specs.arrays import Ints
from specs.machine import ChipSpec

# Spans of free cycles: how long before the product each starts, and its cycles.
Windows = tuple[tuple[int, int], ...]


class Ahead(NamedTuple):
    """Part of a product's matrix that is loaded ahead of it in one go.

    Attributes
    ----------
    lead_cycles
        By how many cycles it begins before the product.
    works, cycles
        What each chip of the group loads, and for how long, shape ``(width,)``.
    """

    lead_cycles: int
    works: tuple[Work, ...]
    cycles: Ints


class Prefetched(NamedTuple):
    """A product, and what is loaded ahead of it.

    Attributes
    ----------
    works, cycles
        The product on each chip of the group, and its time, shape ``(width,)``.
    loads
        What comes ahead of it.
    """

    works: tuple[Work, ...]
    cycles: Ints
    loads: tuple[Ahead, ...]


@final
class Prefetch:
    """Keeps the cycles in which a group of chips may load weights.

    Parameters
    ----------
    chip
        The processor; its setting `prefetch` says whether anything is loaded at all.
    """

    def __init__(self, chip: ChipSpec) -> None:
        self._chip = chip
        self._free: list[tuple[int, int]] = []
        self._most: IdentityMap[Compute, Ints] = IdentityMap()
        self._known: IdentityMap[Compute, dict[Windows, Prefetched]] = IdentityMap()

    @property
    def windows(self) -> tuple[tuple[int, int], ...]:
        """Return the spans of free cycles, the first one first."""
        return tuple(self._free)

    def restart(self) -> None:
        """Forget the free cycles: they were of another group, or are used up."""
        self._free = []

    def free(self, start: int, end: int) -> None:
        """Let weights be loaded from `start` to `end`, after all that was free."""
        if self._free and self._free[-1][1] == start:
            start = self._free.pop()[0]
        if start < end:
            self._free.append((start, end))

    def product(self, operator: Compute, now: int) -> Prefetched:
        """Return `operator`, which starts `now`, with what is loaded ahead of it."""
        most = self._most.of(operator, self._most_cycles)
        left = int(most.max())
        windows = []
        for start, end in self._free:
            if left == 0:
                break
            cycles = min(left, end - start)
            windows.append((now - start, cycles))
            left -= cycles
        known = self._known.of(operator, lambda _: {})
        key = tuple(windows)
        if key not in known:
            known[key] = self._prefetched(operator, most, windows)
        return known[key]

    def _most_cycles(self, operator: Compute) -> Ints:
        cycles = [
            most_preload_cycles(self._chip, work)
            if isinstance(work, ProductWork)
            else 0
            for work in operator.works
        ]
        return np.array(cycles, dtype=np.int64)

    def _prefetched(
        self, operator: Compute, most: Ints, windows: list[tuple[int, int]]
    ) -> Prefetched:
        if not windows:
            return Prefetched(operator.works, operator.cycles, ())
        loads = []
        before = 0
        for lead, cycles in windows:
            spans = [
                self._load(work, min(before, limit), min(before + cycles, limit))
                for work, limit in zip(operator.works, most.tolist(), strict=True)
            ]
            taken = np.clip(most - before, 0, cycles)
            loads.append(Ahead(lead, tuple(spans), taken))
            before += cycles
        works = tuple(
            preloaded(self._chip, work, min(limit, before))
            if isinstance(work, ProductWork)
            else work
            for work, limit in zip(operator.works, most.tolist(), strict=True)
        )
        known = {work: work_cycles(self._chip, work) for work in set(works)}
        taken = np.array([known[work] for work in works], dtype=np.int64)
        return Prefetched(works, taken, tuple(loads))

    def _load(self, work: Work, begin: int, end: int) -> LoadWork:
        """Return what a chip loads between two cycles of loading."""
        assert isinstance(work, ProductWork)
        rate = feed_bytes_per_cycle(self._chip)
        fed = [min(work.fed_bytes, cycles * rate) for cycles in (begin, end)]
        whole = max(1, work.fed_bytes)
        stored = [work.stored_bytes * size // whole for size in fed]
        return LoadWork(fed[1] - fed[0], stored[1] - stored[0])

"""Weight prefetch: weights of the next product load while chips do something else.

A product streams its matrix from SRAM. Before it can start, chips exchange, wait for a
stage transfer or work on vectors. Meanwhile the path from SRAM to the weight buffers is
free, from the cycle in which the last product has read its last weight.
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
from sharding.operators.operators import Compute, Unit
from specs.arrays import Ints
from specs.machine import ChipSpec

# Spans of free cycles: how long before the product each starts, and its cycles.
Windows = tuple[tuple[int, int], ...]


class WeightLoad(NamedTuple):
    """Weight load: a part of a product's matrix that loads ahead of it in one piece.

    Attributes
    ----------
    lead_cycles
        By how many cycles it begins before the product.
    works, cycles
        What each chip of the group loads, and for how many cycles, shape ``(width,)``.
    """

    lead_cycles: int
    works: tuple[Work, ...]
    cycles: Ints


class PrefetchedProduct(NamedTuple):
    """Prefetched product: a product with the weight loads ahead of it.

    Attributes
    ----------
    works, cycles
        The product on each chip of the group, and its cycles, shape ``(width,)``.
    loads
        What loads ahead of it.
    """

    works: tuple[Work, ...]
    cycles: Ints
    loads: tuple[WeightLoad, ...]


@final
class WeightPrefetcher:
    """Weight prefetcher: keeps the cycles in which a group of chips may load weights.

    Parameters
    ----------
    chip
        The processor; its setting `prefetch` says whether anything is loaded at all.
    """

    def __init__(self, chip: ChipSpec) -> None:
        self._chip = chip
        self._free: list[tuple[int, int]] = []
        self._limits: IdentityMap[Compute, Ints] = IdentityMap()
        self._products: IdentityMap[Compute, dict[Windows, PrefetchedProduct]] = (
            IdentityMap()
        )

    @property
    def windows(self) -> tuple[tuple[int, int], ...]:
        """Return the spans of free cycles, in order."""
        return tuple(self._free)

    def restart(self) -> None:
        """Discard the free cycles: they were another group's, or are used."""
        self._free = []

    def free(self, start: int, end: int) -> None:
        """Add free cycles from `start` to `end`, after all that were free before."""
        if self._free and self._free[-1][1] == start:
            start = self._free.pop()[0]
        if start < end:
            self._free.append((start, end))

    def after(self, unit: Unit, begin: int, end: int) -> None:
        """Add the cycles that an operator leaves free to load weights.

        A product leaves those in which it drains: it has read its weights by then. A
        vector operator leaves all of its own, a lookup reads SRAM itself.

        Parameters
        ----------
        unit
            The functional unit that it occupies.
        begin, end
            Its first cycle and the first after it.
        """
        if unit is Unit.MATMUL:
            self.restart()
            self.free(end - self._chip.matmul_fill_cycles, end)
        elif unit is Unit.VECTOR:
            self.free(begin, end)

    def product(self, operator: Compute, now: int) -> PrefetchedProduct:
        """Return a product that starts `now`, and the weights that load before."""
        limits = self._limits.of(operator, self._preload_limits)
        left = int(limits.max())
        windows = []
        for start, end in self._free:
            if left == 0:
                break
            cycles = min(left, end - start)
            windows.append((now - start, cycles))
            left -= cycles
        by_windows = self._products.of(operator, lambda _: {})
        key = tuple(windows)
        if key not in by_windows:
            by_windows[key] = self._prefetched(operator, limits, windows)
        return by_windows[key]

    def _preload_limits(self, operator: Compute) -> Ints:
        """Return the most cycles that each chip can load ahead, shape ``(width,)``."""
        most = {
            work: most_preload_cycles(self._chip, work)
            if isinstance(work, ProductWork)
            else 0
            for work in set(operator.works)
        }
        return np.array([most[work] for work in operator.works], dtype=np.int64)

    def _prefetched(
        self, operator: Compute, limits: Ints, windows: list[tuple[int, int]]
    ) -> PrefetchedProduct:
        """Return a product whose weights load in some windows, each chip's in order."""
        if not windows:
            return PrefetchedProduct(operator.works, operator.cycles, ())
        loads = []
        before = 0
        for lead, cycles in windows:
            spans = [
                self._load(work, min(before, limit), min(before + cycles, limit))
                for work, limit in zip(operator.works, limits.tolist(), strict=True)
            ]
            taken = np.clip(limits - before, 0, cycles)
            loads.append(WeightLoad(lead, tuple(spans), taken))
            before += cycles
        works = tuple(
            preloaded(self._chip, work, min(limit, before))
            if isinstance(work, ProductWork)
            else work
            for work, limit in zip(operator.works, limits.tolist(), strict=True)
        )
        cycles_of = {work: work_cycles(self._chip, work) for work in set(works)}
        taken = np.array([cycles_of[work] for work in works], dtype=np.int64)
        return PrefetchedProduct(works, taken, tuple(loads))

    def _load(self, work: Work, begin: int, end: int) -> LoadWork:
        """Return the bytes that a chip loads between two cycles of its loading."""
        assert isinstance(work, ProductWork)
        rate = feed_bytes_per_cycle(self._chip)
        fed = [min(work.fed_bytes, cycles * rate) for cycles in (begin, end)]
        whole = max(1, work.fed_bytes)
        stored = [work.stored_bytes * size // whole for size in fed]
        return LoadWork(fed[1] - fed[0], stored[1] - stored[0])

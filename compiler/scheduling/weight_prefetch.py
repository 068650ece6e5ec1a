"""Weight prefetch: the first rounds of a product load while chips do something else.

Before a product can start, chips exchange, wait for a stage transfer or work on
vectors. Meanwhile the path from SRAM to the weight buffers is free, from the cycle in
which the last product has multiplied its last row. A round loads as a whole.
"""

from typing import NamedTuple, final

import numpy as np

from chip.operator_cycles import (
    FILL_STEPS,
    drain_cycles,
    load_of,
    most_preload_rounds,
    preloaded,
    work_cycles,
)
from chip.operator_work import ProductWork, Work
from chip.product_rounds import load_round_cycles
from compiler.ir.identity_map import IdentityMap
from sharding.operators.operators import Compute, Unit
from specs.arrays import Ints
from specs.chip import ChipSpec

# Spans of free cycles: how long before the product each starts, and its rounds.
Windows = tuple[tuple[int, int], ...]


class WeightLoad(NamedTuple):
    """Weight load: rounds of a product that load ahead of it in one piece.

    Attributes
    ----------
    lead_cycles
        By how many cycles it begins before the product.
    works, cycles
        What each chip of the group loads, and for how many cycles, shape ``(width,)``;
        0 on a chip that loads nothing.
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


class _Limits(NamedTuple):
    """Most rounds that each chip can load ahead, and the cycles of one.

    `rounds` has the shape ``(width,)``.
    """

    rounds: Ints
    round_cycles: int


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
        # A load reaches the VXM, if at all, a part of the fill after SRAM.
        part = chip.matmul_fill_cycles // FILL_STEPS
        self._tail = part if chip.widening_operations else 0
        self._limits: IdentityMap[Compute, _Limits] = IdentityMap()
        self._products: IdentityMap[Compute, dict[Windows, PrefetchedProduct]] = (
            IdentityMap()
        )

    @property
    def windows(self) -> tuple[tuple[int, int], ...]:
        """Return the spans of free cycles, in order."""
        return tuple(self._free)

    def begin(
        self, operator: Compute, now: int, exchanged: int, product_end: int
    ) -> int:
        """Return when a product starts, and discard the free cycles from then on.

        One that continues the product before it starts while that one drains.

        Parameters
        ----------
        operator
            The product.
        now
            End of all that was scheduled.
        exchanged
            End of the last exchange before it.
        product_end
            End of the last product before it.
        """
        if not operator.continues:
            return now
        start = max(exchanged, product_end - drain_cycles(self._chip))
        self._free = [(a, min(b, start)) for a, b in self._free if a < start]
        return start

    def restart(self) -> None:
        """Discard the free cycles: they were another group's, or are used."""
        self._free = []

    def free(self, start: int, end: int) -> None:
        """Add free cycles from `start` to `end`, after all that were free before."""
        if end <= start:
            return
        if self._free and self._free[-1][1] == start:
            start = self._free.pop()[0]
        self._free.append((start, end))

    def after(self, unit: Unit, begin: int, end: int) -> None:
        """Add the cycles that an operator leaves free to load weights.

        A product leaves those in which it drains: it has multiplied by then. A vector
        operator leaves all of its own unless the VXM widens weights, a lookup reads
        SRAM itself. Weights that are widened follow the chain of a product through the
        VXM, which ends a part of the fill before the product.

        Parameters
        ----------
        unit
            The functional unit that it occupies.
        begin, end
            Its first cycle and the first after it.
        """
        if unit is Unit.MATMUL:
            self.restart()
            fill = self._chip.matmul_fill_cycles
            self.free(end - (2 * self._tail if self._tail else fill), end)
        elif unit is Unit.VECTOR and not self._chip.widening_operations:
            self.free(begin, end)

    def product(self, operator: Compute, now: int) -> PrefetchedProduct:
        """Return a product that starts `now`, and the weights that load before."""
        limits = self._limits.of(operator, self._preload_limits)
        left = int(limits.rounds.max())
        windows = []
        for start, end in self._free:
            rounds = min(left, (end - self._tail - start) // limits.round_cycles)
            if rounds > 0:
                windows.append((now - start, rounds))
                left -= rounds
        by_windows = self._products.of(operator, lambda _: {})
        key = tuple(windows)
        if key not in by_windows:
            by_windows[key] = self._prefetched(operator, limits, windows)
        return by_windows[key]

    def least_cycles(self, operator: Compute) -> Ints:
        """Return a lower bound on the cycles of a product behind the free cycles.

        A cycle that is free saves a cycle at most, so that a schedule with more free
        cycles, which may load a whole round more, is not faster. Shape ``(width,)``.
        """
        free = sum(end - start for start, end in self._free)
        least: Ints = np.maximum(operator.least_cycles, operator.cycles - free)
        return least

    def _preload_limits(self, operator: Compute) -> _Limits:
        """Return the most rounds that each chip can load ahead of a product."""
        chip, products = self._chip, {*operator.works}
        most = {
            work: most_preload_rounds(chip, work)
            if isinstance(work, ProductWork)
            else 0
            for work in products
        }
        slowest = [
            load_round_cycles(chip, work)
            for work in products
            if isinstance(work, ProductWork) and most[work]
        ]
        rounds = np.array([most[work] for work in operator.works], dtype=np.int64)
        return _Limits(rounds, max(slowest, default=1))

    def _prefetched(
        self, operator: Compute, limits: _Limits, windows: list[tuple[int, int]]
    ) -> PrefetchedProduct:
        """Return a product whose rounds load in some windows, each chip's in order."""
        if not windows:
            return PrefetchedProduct(operator.works, operator.cycles, ())
        loads, before = [], 0
        most = limits.rounds.tolist()
        # Most often all chips do the same.
        shares = list(zip(operator.works, most, strict=True))
        for lead, rounds in windows:
            load_of_share = {
                (work, limit): self._load(
                    work, min(before, limit), min(before + rounds, limit)
                )
                for work, limit in set(shares)
            }
            works = tuple([load_of_share[share] for share in shares])
            loads.append(WeightLoad(lead, works, self._cycles(works)))
            before += rounds
        product_of_share = {
            (work, limit): preloaded(self._chip, work, min(limit, before))
            if isinstance(work, ProductWork)
            else work
            for work, limit in set(shares)
        }
        after = tuple([product_of_share[share] for share in shares])
        return PrefetchedProduct(after, self._cycles(after), tuple(loads))

    def _cycles(self, works: tuple[Work, ...]) -> Ints:
        """Return the cycles of each chip's work."""
        cycles_of = {work: work_cycles(self._chip, work) for work in set(works)}
        return np.array([cycles_of[work] for work in works], dtype=np.int64)

    def _load(self, work: Work, first: int, last: int) -> Work:
        """Return the load of a range of a chip's rounds."""
        assert isinstance(work, ProductWork)
        return load_of(self._chip, work, first, last)

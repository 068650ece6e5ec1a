"""Drift budget: the largest crystal error, longest interval and shallowest FIFO.

The guard band grows with the crystals' error and with the time between deskews. So each
limit is a single value, and a bisection finds it exactly.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from compiler.cost.guard_band import Tolerance
from specs.errors import ScheduleError

PPB_PER_PPM = 1_000
"""Resolution of a crystal's error: a hertz at 900 MHz is about one part per billion."""

# The largest value that `specs.synchronisation.ClockSpec` accepts.
_MOST_PPB = 100_000 * PPB_PER_PPM - 1
# More vectors than any guard band lets wait.
_MOST_VECTORS = 2**31


class DriftBudget(NamedTuple):
    """Limit of each setting while the others stay as they are.

    Attributes
    ----------
    largest_ppm
        Largest error of a crystal in either direction, in ppm, to one part per
        billion; 0 if not even equal crystals work.
    longest_interval_epochs
        Longest time between deskews, in epochs; 0 if no interval works.
    shallowest_fifo_vectors
        Fewest places of a receive FIFO.
    """

    largest_ppm: float
    longest_interval_epochs: int
    shallowest_fifo_vectors: int


def budget(
    tolerance: Tolerance, interval_epochs: int, guard_cycles: int | None = None
) -> DriftBudget:
    """Return the cost model's limits of crystal error, deskew interval and FIFO depth.

    Each limit is for that setting alone.

    Parameters
    ----------
    tolerance
        The machine's clocks and links.
    interval_epochs
        Time between deskews, in epochs.
    guard_cycles
        Guard band that must be enough; None if it may be as wide as the FIFO allows.

    Raises
    ------
    ScheduleError
        If drift can be misread within the interval, so that no FIFO is deep enough.
    """
    return DriftBudget(
        largest_ppm(tolerance, interval_epochs, guard_cycles),
        longest_interval_epochs(tolerance, guard_cycles),
        shallowest_fifo_vectors(tolerance, interval_epochs),
    )


def works(
    tolerance: Tolerance, interval_epochs: int, guard_cycles: int | None = None
) -> bool:
    """Return whether the cost model accepts a deskew interval, within a given guard."""
    try:
        needed = tolerance.guard_cycles(tolerance.checked_interval(interval_epochs))
    except ScheduleError:
        return False
    return guard_cycles is None or needed <= guard_cycles


def largest_ppm(
    tolerance: Tolerance,
    interval_epochs: int,
    guard_cycles: int | None = None,
    apart_cycles: int = 0,
) -> float:
    """Return the largest crystal error that the cost model accepts, in ppm.

    Parameters
    ----------
    tolerance, interval_epochs, guard_cycles
        As in `budget`; the error that the machine has now is ignored.
    apart_cycles
        Longest time between two deskews of a chip, used or idle; the drift within it
        must not be misread.
    """

    def holds(ppb: int) -> bool:
        crystals = with_settings(
            tolerance,
            {"clock.model": "constant", "clock.drift_ppm": ppb / PPB_PER_PPM},
        )
        unambiguous = apart_cycles <= crystals.longest_interval_cycles
        return unambiguous and works(crystals, interval_epochs, guard_cycles)

    return _last(holds, 0, _MOST_PPB) / PPB_PER_PPM


def longest_interval_epochs(
    tolerance: Tolerance, guard_cycles: int | None = None
) -> int:
    """Return the longest deskew interval that the cost model accepts, in epochs.

    For crystals that do not drift it is longer than any run.

    Parameters
    ----------
    tolerance
        The machine's clocks and links.
    guard_cycles
        Guard band that must be enough; None if it may be as wide as the FIFO allows.
    """
    longest = tolerance.longest_interval_cycles // tolerance.machine.hac.epoch_cycles
    return _last(lambda epochs: works(tolerance, epochs, guard_cycles), 0, longest)


def shallowest_fifo_vectors(tolerance: Tolerance, interval_epochs: int) -> int:
    """Return the least depth of a receive FIFO that the cost model accepts, in vectors.

    Such a FIFO holds what the guard lets wait.

    Raises
    ------
    ScheduleError
        If drift can be misread within the interval, so that no FIFO is deep enough.
    """
    tolerance.checked_interval(interval_epochs)

    def overflows(vectors: int) -> bool:
        fifo = with_settings(tolerance, {"link.fifo_vectors": vectors})
        return not works(fifo, interval_epochs)

    return _last(overflows, 0, _MOST_VECTORS) + 1


def with_settings(tolerance: Tolerance, settings: dict[str, object]) -> Tolerance:
    """Return the cost model's tolerance with other machine settings.

    The alignment tree stays the same.
    """
    return replace(tolerance, machine=tolerance.machine.with_settings(settings))


def _last(holds: Callable[[int], bool], first: int, most: int) -> int:
    """Bisection: return the last number from `first` to `most` for which `holds`.

    `holds` must be true up to some number and false after it; `first` is not tried.
    """
    low, high = first, most + 1
    while high - low > 1:
        middle = (low + high) // 2
        if holds(middle):
            low = middle
        else:
            high = middle
    return low

"""Hardware aligned counter (HAC) and the arithmetic of RUNTIME_DESKEW.

The HAC counts modulo the epoch and is adjusted to the parent's HAC along a spanning
tree. The software aligned counter (SAC) is the program's own count of cycles. The
difference of the two is the drift that RUNTIME_DESKEW removes (isca22).
"""

from dataclasses import dataclass
from typing import TypeVar, final

import numpy as np
from numpy.typing import NDArray

from fabric.clocks.clock import Crystal


def wrapped_difference(sac: int, hac: int, epoch_cycles: int) -> int:
    """Return a clock's drift: how far SAC is ahead of HAC, wrapped to half an epoch.

    >>> wrapped_difference(253, 251, 252), wrapped_difference(1, 251, 252)
    (2, 2)
    >>> wrapped_difference(100, 103, 252)
    -3
    """
    half = epoch_cycles // 2
    return (sac - hac + half) % epoch_cycles - half


def wrapped_differences(
    sac: NDArray[np.int64], hac: NDArray[np.int64], epoch_cycles: int
) -> NDArray[np.int64]:
    """Return `wrapped_difference` of each pair of clock counts, the same integers."""
    half = epoch_cycles // 2
    return (sac - hac + half) % epoch_cycles - half


# One integer, or one for each of many links.
Whole = TypeVar("Whole", int, NDArray[np.int64])

# Latency and rate are kept in units of 2^-24 counts; one an epoch is 0.0002 ppm.
FRACTION_BITS = 24
HALF_COUNT = 1 << (FRACTION_BITS - 1)


def bring_up_settled(
    before: NDArray[np.int64], after: NDArray[np.int64], exchanges: int
) -> NDArray[np.bool_]:
    """Return whether clock alignment settled: mean and variance of round trips.

    `exchanges` round trips are compared with their first half. The mean may differ by
    an eighth of the standard deviation, the variance by a quarter. Half a count, and a
    squared count, always pass, since readings are integers. The fractions are assumed:
    at 256 exchanges 19 of 20 links pass.

    Parameters
    ----------
    before, after
        Sum and sum of squares of the round trips in counts, over the first half and
        over all, shape ``(2, links)``.
    exchanges
        Number of round trips in `after`.
    """
    half_mean, half_square = before / (exchanges // 2)
    mean, square = after / exchanges
    variance = square - mean * mean
    half_variance = half_square - half_mean * half_mean
    mean_settled = np.abs(mean - half_mean) <= np.maximum(0.5, np.sqrt(variance) / 8)
    variance_settled = np.abs(variance - half_variance) <= np.maximum(1.0, variance / 4)
    settled: NDArray[np.bool_] = mean_settled & variance_settled
    return settled


def half_round_trip(total: Whole, exchanges: Whole) -> Whole:
    """Return the one-way latency in 2^-24 clock counts: half the mean round trip.

    Parameters
    ----------
    total
        Sum of the round trips, in counts.
    exchanges
        Number of round trips.

    Examples
    --------
    >>> half_round_trip(866, 2) / 2**FRACTION_BITS
    216.5
    """
    return (total << FRACTION_BITS) // (2 * exchanges)


def rate_per_epoch(
    total: Whole, weighted: Whole, exchanges: Whole, spacing_epochs: int
) -> Whole:
    """Return a clock's rate error: 2^-24 counts lost in an epoch of its parent.

    It is the slope, by least squares, of the lag of the child's counter.

    Parameters
    ----------
    total, weighted
        Sum over the exchanges of the lag behind the parent, in counts, and the same sum
        weighted by the number of the exchange.
    exchanges
        Number of exchanges.
    spacing_epochs
        Epochs between two of them.

    Examples
    --------
    >>> behind = [0, 1, 2, 3]  # a count in four epochs
    >>> weighted = sum(each * number for number, each in enumerate(behind))
    >>> rate_per_epoch(sum(behind), weighted, 4, 4) / 2**FRACTION_BITS
    0.25
    """
    centred = 2 * weighted - (exchanges - 1) * total
    squares = exchanges * (exchanges * exchanges - 1) * spacing_epochs
    rate: Whole = ((6 * centred) << FRACTION_BITS) // squares
    return rate


def added_rates(own: Whole, above: Whole, epoch_cycles: int) -> Whole:
    """Return a clock's rate error to the root: 2^-24 counts lost in a root epoch.

    Parameters
    ----------
    own
        Rate error to its parent.
    above
        Rate error of the parent to the root.
    epoch_cycles
        Cycles of an epoch; a crystal that lost them all would stand still.
    """
    return own + above - (own * above >> FRACTION_BITS) // epoch_cycles


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AlignedCounter:
    """HAC that tracks the root's count with a bounded error.

    Parameters
    ----------
    root
        Crystal of the spanning tree's root, which every HAC follows.
    error_counts
        Offset of this chip's counter from the root's.
    """

    root: Crystal
    error_counts: int

    def count_at(self, time_ps: int) -> int:
        """Return the count at `time_ps`, not reduced modulo the epoch."""
        return self.root.cycle_at(time_ps) + self.error_counts

    def start_cycle(self, clock: Crystal, count: int) -> int:
        """Return the first cycle of `clock` at which this counter shows `count`."""
        first_ps = self.root.edge_ps(count - self.error_counts)
        cycle = clock.cycle_at(first_ps)
        return cycle if clock.edge_ps(cycle) == first_ps else cycle + 1

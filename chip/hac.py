"""The hardware aligned counter (HAC) and the arithmetic of RUNTIME_DESKEW.

The HAC counts modulo the epoch and is steered to the parent's HAC along a spanning
tree; the software aligned counter (SAC) is the program's own count of cycles. What one
has run ahead of the other is the drift that RUNTIME_DESKEW removes (isca22).
"""

from dataclasses import dataclass
from typing import TypeVar, final

import numpy as np
from numpy.typing import NDArray

from chip.clock import Crystal
from specs.units import PPM


def wrapped_difference(sac: int, hac: int, epoch_cycles: int) -> int:
    """Return how far SAC is ahead of HAC modulo the epoch, within half an epoch.

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
    """Return `wrapped_difference` of each pair of counts, the same integers."""
    half = epoch_cycles // 2
    return (sac - hac + half) % epoch_cycles - half


# One whole number, or one for each of many links.
Whole = TypeVar("Whole", int, NDArray[np.int64])

# Latency and rate are kept in parts of a count: 2^-24 of one an epoch is 0.0002 ppm.
FRACTION_BITS = 24
HALF_COUNT = 1 << (FRACTION_BITS - 1)


def bring_up_settled(
    before: NDArray[np.int64], after: NDArray[np.int64], exchanges: int
) -> NDArray[np.bool_]:
    """Return whether mean and variance of a link's round trips have settled.

    They have if `exchanges` of them have a mean within an eighth of their standard
    deviation of the mean of the first half, and a variance within a quarter; half a
    count, and a squared count, always pass, since readings are whole. The fractions are
    assumed: at 256 exchanges 19 of 20 links pass.

    Parameters
    ----------
    before, after
        Sum and sum of squares of the round trips in counts, over the first half and
        over all, shape ``(2, links)``.
    exchanges
        How many are in `after`.
    """
    half_mean, half_square = before / (exchanges // 2)
    mean, square = after / exchanges
    variance = square - mean * mean
    half_variance = half_square - half_mean * half_mean
    moved = np.abs(mean - half_mean) <= np.maximum(0.5, np.sqrt(variance) / 8)
    changed = np.abs(variance - half_variance) <= np.maximum(1.0, variance / 4)
    settled: NDArray[np.bool_] = moved & changed
    return settled


def half_round_trip(total: Whole, exchanges: Whole) -> Whole:
    """Return the latency that round trips adding up to `total` counts tell of.

    >>> half_round_trip(866, 2) / 2**FRACTION_BITS
    216.5
    """
    return (total << FRACTION_BITS) // (2 * exchanges)


def rate_per_epoch(
    total: Whole, weighted: Whole, exchanges: Whole, spacing_epochs: int
) -> Whole:
    """Return what a crystal loses in an epoch of its parent's, in 2^-24 counts.

    The slope, by least squares, of what the child's counter is behind the parent's.

    Parameters
    ----------
    total, weighted
        Sum over the exchanges of how far the child is behind, in counts, and the same
        weighted by the number of the exchange.
    exchanges
        How many there were.
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
    """Return what a crystal loses in an epoch of the root's, in 2^-24 counts.

    Parameters
    ----------
    own
        What it loses in an epoch of its parent's.
    above
        What the parent's crystal loses in an epoch of the root's.
    epoch_cycles
        The epoch: losing all of it would be to stand still.
    """
    return own + above - (own * above >> FRACTION_BITS) // epoch_cycles


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AlignedCounter:
    """A HAC once it tracks: the root's count, off by a bounded number of counts.

    Parameters
    ----------
    root
        Crystal of the spanning tree's root, which every HAC follows.
    error_counts
        How far this chip's counter is from the root's.
    """

    root: Crystal
    error_counts: int

    def count_at(self, time_ps: int) -> int:
        """Return the counter at `time_ps`, not yet reduced modulo the epoch."""
        return self.root.cycle_at(time_ps) + self.error_counts

    def start_cycle(self, clock: Crystal, count: int) -> int:
        """Return the first cycle of `clock` at which this counter shows `count`."""
        first_ps = self.root.edge_ps(count - self.error_counts)
        cycle = clock.cycle_at(first_ps)
        return cycle if clock.edge_ps(cycle) == first_ps else cycle + 1


def half_epoch_cycles(
    epoch_cycles: int, counter_error: int, relative_ppm: float
) -> int:
    """Return the longest time between two RUNTIME_DESKEWs that cannot be misread.

    A drift of more than half an epoch looks like a drift the other way.

    Parameters
    ----------
    epoch_cycles
        Modulus of the counter.
    counter_error
        Largest error of the counter itself, in counts.
    relative_ppm
        Largest difference between this crystal and the root's, in ppm.
    """
    room = epoch_cycles // 2 - counter_error - 2
    if room <= 0:
        return 0
    if relative_ppm <= 0:
        return 2**62
    return int(room * PPM / relative_ppm)


def alignment_epochs(latency_cycles: int, epoch_cycles: int, height: int) -> int:
    """Return the epochs that the start takes down a tree: (floor(L/epoch) + 1) x h.

    >>> alignment_epochs(228, 252, 3)
    3
    """
    return (latency_cycles // epoch_cycles + 1) * height

"""The hardware aligned counter (HAC) and the arithmetic of RUNTIME_DESKEW.

The HAC counts modulo the epoch and is steered to the parent's HAC along a spanning
tree; the software aligned counter (SAC) is the program's own count of cycles. What one
has run ahead of the other is the drift that RUNTIME_DESKEW removes (isca22).
"""

from dataclasses import dataclass
from typing import final

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

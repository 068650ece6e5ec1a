"""Tracking of one chip's aligned counter, reading by reading."""

from typing import NamedTuple, final

from fabric.clocks.hac import FRACTION_BITS, HALF_COUNT, wrapped_difference
from specs.machine import MachineSpec


class MeasuredLink(NamedTuple):
    """Measured latency and rate of a link in 2^-24 counts, after so many exchanges."""

    latency: int
    rate: int
    exchanges: int


@final
class TrackingCounter:
    """Aligned counter of a chip below the root that tracks its parent's.

    Parameters
    ----------
    machine
        Constants of the tracking filter.
    measured
        Latency of the link, and rate error of the crystal to the root.
    """

    def __init__(self, machine: MachineSpec, measured: MeasuredLink) -> None:
        self._hac = machine.hac
        self._rate = measured.rate
        self._latency, self._latency_part = divmod(measured.latency, 1 << FRACTION_BITS)
        self._estimate = 0
        self._windows = 0
        self._step = 0
        self._sum = 0
        self.offset = 0
        """Offset of the counter from the crystal's cycles, in counts."""

    def adopt(self, cycle: int) -> None:
        """Set the counter to the value that arrives in `cycle`, plus the latency."""
        self.offset = self._latency - cycle
        self._estimate = (
            (self.offset << FRACTION_BITS) - HALF_COUNT + self._latency_part
        )

    def track(self, cycle: int) -> bool:
        """Compare the value arriving in `cycle`; return whether a window is full."""
        window = self._hac.window_epochs
        shown = cycle + self.offset
        ahead = wrapped_difference(self._latency, shown, self._hac.epoch_cycles)
        self._sum += self.offset + ahead
        self._step += 1
        wanted = (
            self._estimate + self._rate * self._step + HALF_COUNT
        ) >> FRACTION_BITS
        most = self._hac.slew_counts
        self.offset += max(-most, min(most, wanted - self.offset))
        if self._step < window:
            return False
        # A counter that shows n is halfway through its count on average.
        mean = ((2 * self._sum - window) << FRACTION_BITS) // (2 * window)
        middle = self._estimate + (self._rate * (window + 1) >> 1)
        gain = min(
            self._windows // self._hac.windows_per_gain, self._hac.least_gain_shift
        )
        self._estimate += self._rate * window
        self._estimate += (mean + self._latency_part - middle) >> gain
        self._windows += 1
        self._step = self._sum = 0
        return True

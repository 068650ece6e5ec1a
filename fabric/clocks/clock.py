"""Clocks of a chip, which convert cycles to picoseconds and back.

Local time is a number of cycles of one chip's crystal. Global time is picoseconds of
the simulation. Only a `Crystal` converts one into the other.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol, final

import numpy as np
from numpy.typing import NDArray

from specs.errors import SpecError
from specs.units import PPM, PS_PER_S

FOREVER = 2**62
"""Cycle beyond the end of every run."""


class Stretch(NamedTuple):
    """Interval of constant frequency of a crystal; cycles are not negative.

    Cycle `n` of it begins at ``first_ps + ((n - first_cycle) * step + rest) // unit``.

    Attributes
    ----------
    first_cycle, end_cycle
        First cycle of the interval, and the first after it.
    first_ps, rest
        Global time of the first cycle: whole ps, and parts of one ps.
    step, unit
        Clock period in parts of one ps, and the number of parts in a ps.
    """

    first_cycle: int
    end_cycle: int
    first_ps: int
    rest: int
    step: int
    unit: int


class Crystal(Protocol):
    """Interface of a clock: the edges of its cycles and the cycle at a time."""

    def edge_ps(self, cycle: int) -> int:
        """Return when `cycle` begins, in ps of global time, rounded down."""
        ...

    def edges_ps(self, cycles: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return `edge_ps` of each cycle, the same integers."""
        ...

    def cycle_at(self, time_ps: int) -> int:
        """Return the cycle that is running at `time_ps`: the last edge not after it."""
        ...

    def cycles_at(self, times_ps: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return `cycle_at` of each time, the same integers."""
        ...

    def stretch_at(self, cycle: int) -> Stretch:
        """Return the interval of constant frequency that contains `cycle`."""
        ...


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Crystal of constant frequency.

    The frequency is a whole number of hertz, which resolves 0.001 ppm at 900 MHz. Every
    edge is exact: edge `n` lies ``floor(n * 10^12 / frequency)`` ps after the phase.
    This is computed in integers, for any cycle.

    Parameters
    ----------
    frequency_hz
        Cycles in one second of global time.
    phase_ps
        Global time of cycle 0.
    """

    frequency_hz: int
    phase_ps: int = 0

    def __post_init__(self) -> None:
        if self.frequency_hz <= 0:
            raise SpecError(f"frequency_hz must be > 0, got {self.frequency_hz}")

    @classmethod
    def with_offset(
        cls, nominal_hz: int, offset_ppm: float, phase_ps: int = 0
    ) -> "Clock":
        """Return a crystal `offset_ppm` off its nominal frequency, to whole hertz.

        >>> Clock.with_offset(900_000_000, 50).frequency_hz
        900045000
        """
        frequency_hz = nominal_hz + round(nominal_hz * offset_ppm / PPM)
        return cls(frequency_hz=frequency_hz, phase_ps=phase_ps)

    def edge_ps(self, cycle: int) -> int:
        """Return when `cycle` begins, in ps of global time, rounded down.

        Computed from the cycle number, not by adding periods, so rounding never
        accumulates.

        >>> Clock(frequency_hz=900_000_000).edge_ps(900_000_000)
        1000000000000
        """
        return self.phase_ps + cycle * PS_PER_S // self.frequency_hz

    def edges_ps(self, cycles: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return `edge_ps` of each cycle, the same integers."""
        return edges_ps(cycles, np.int64(self.frequency_hz), np.int64(self.phase_ps))

    def cycle_at(self, time_ps: int) -> int:
        """Return the cycle that is running at `time_ps`: the last edge not after it.

        >>> clock = Clock(frequency_hz=900_000_000)
        >>> [clock.cycle_at(clock.edge_ps(n)) for n in (0, 1, 12_345)]
        [0, 1, 12345]
        """
        return ((time_ps - self.phase_ps + 1) * self.frequency_hz - 1) // PS_PER_S

    def cycles_at(self, times_ps: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return `cycle_at` of each time, the same integers."""
        return cycles_at(times_ps, np.int64(self.frequency_hz), np.int64(self.phase_ps))

    def stretch_at(self, cycle: int) -> Stretch:  # noqa: ARG002
        """Return the interval that contains `cycle`, which is all of time."""
        return Stretch(0, FOREVER, self.phase_ps, 0, PS_PER_S, self.frequency_hz)


def edges_ps(
    cycles: NDArray[np.int64],
    frequency_hz: NDArray[np.int64] | np.int64,
    phase_ps: NDArray[np.int64] | np.int64,
) -> NDArray[np.int64]:
    """Return when each cycle of a clock begins, the integers of `Clock.edge_ps`.

    Parameters
    ----------
    cycles
        Cycles, any shape; up to 9 x 10^6 seconds' worth of them.
    frequency_hz, phase_ps
        Of each cycle's clock, or of one for all; frequencies below 3 GHz.
    """
    return phase_ps + quotients_ps(cycles, frequency_hz)[0]


def quotients_ps(
    cycles: NDArray[np.int64], frequency_hz: NDArray[np.int64] | np.int64
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the duration of a clock's cycles in ps, rounded down, and the remainder.

    Parameters
    ----------
    cycles
        Cycles, any shape; up to 9 x 10^6 seconds' worth of them.
    frequency_hz
        Of each cycle's clock, or of one for all; below 3 GHz.

    Returns
    -------
    tuple of ndarray
        Quotient and remainder of ``cycles * 10^12 / frequency_hz``.
    """
    # Whole seconds first: what remains is below the frequency, and its product with
    # the rest of a period, below the frequency too, stays within 64 bits.
    seconds, within = np.divmod(cycles, frequency_hz)
    period_ps, rest = np.divmod(PS_PER_S, frequency_hz)
    fraction_ps, parts = np.divmod(within * rest, frequency_hz)
    return seconds * PS_PER_S + within * period_ps + fraction_ps, parts


def cycles_at(
    times_ps: NDArray[np.int64],
    frequency_hz: NDArray[np.int64] | np.int64,
    phase_ps: NDArray[np.int64] | np.int64,
) -> NDArray[np.int64]:
    """Return the cycle of a clock at each time, the integers of `Clock.cycle_at`.

    Parameters
    ----------
    times_ps
        Global times, any shape.
    frequency_hz, phase_ps
        Of each time's clock, or of one for all; frequencies below 3 GHz.
    """
    seconds, within = np.divmod(times_ps - phase_ps + 1, PS_PER_S)
    # Millionths of a second, so that no product exceeds 64 bits.
    micros, ps = np.divmod(within, 10**6)
    whole, millionths = np.divmod(micros * frequency_hz, 10**6)
    rest = (millionths * 10**6 + ps * frequency_hz - 1) // PS_PER_S
    return seconds * frequency_hz + whole + rest

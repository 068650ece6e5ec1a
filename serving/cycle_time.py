"""Cycle time: integer cycles of a clock in integer picoseconds, and back."""

from math import gcd
from typing import NamedTuple, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from specs.errors import SpecError
from specs.units import PS_PER_S

Number = TypeVar("Number", int, NDArray[np.int64])

# Times stay below ten days, so that their products with a clock's ratio fit in 63 bits.
_MOST_PS = 10**18
_MOST_RATIO = (2**63 - 1) // _MOST_PS


class CycleTime(NamedTuple):
    """Length of a clock's cycle as a reduced fraction: `cycles` take `picoseconds`.

    Always converted from the absolute number, so that rounding never adds up.
    """

    cycles: int
    picoseconds: int

    @classmethod
    def of(cls, clock_hz: int) -> Self:
        """Return the cycle time of a nominal clock.

        Raises
        ------
        SpecError
            If its ratio to a picosecond is too fine for 63-bit arithmetic.

        Examples
        --------
        >>> CycleTime.of(900_000_000)
        CycleTime(cycles=9, picoseconds=10000)
        """
        common = gcd(clock_hz, PS_PER_S)
        made = cls(clock_hz // common, PS_PER_S // common)
        if made.cycles > _MOST_RATIO * 1000:
            raise SpecError(
                f"clock_hz {clock_hz} has no simple ratio to a picosecond "
                f"({made.cycles} cycles are {made.picoseconds} ps); round it to 1 MHz"
            )
        return made

    def ps(self, cycle: Number) -> Number:
        """Return when a cycle begins, in ps, rounded down.

        >>> CycleTime(9, 10_000).ps(9), CycleTime(9, 10_000).ps(1)
        (10000, 1111)
        """
        whole, rest = cycle // self.cycles, cycle % self.cycles
        return whole * self.picoseconds + rest * self.picoseconds // self.cycles

    def first_cycle(self, ps: Number) -> Number:
        """Return the first cycle that begins at or after a time in ps.

        >>> CycleTime(9, 10_000).first_cycle(1), CycleTime(9, 10_000).first_cycle(0)
        (1, 0)
        """
        whole, rest = ps // self.picoseconds, ps % self.picoseconds
        # The floor in `ps` makes cycle c begin up to 1 ps early: count from that.
        return whole * self.cycles + -(-(rest * self.cycles) // self.picoseconds)

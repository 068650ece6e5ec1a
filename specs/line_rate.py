"""Line rate of a link: what vectors, their frames and their check symbols take."""

from fractions import Fraction
from functools import cache
from typing import NamedTuple

from specs.arrays import Ints
from specs.units import BITS_PER_BYTE, PS_PER_S, ceil_div


class LineRate(NamedTuple):
    """Vectors back to back on a link.

    Attributes
    ----------
    vector_bytes
        Payload of a vector.
    wire_bits
        Bits of a vector on the wire, with its frame and the check symbols of a code
        that has none in the frame; not whole, since a codeword holds several vectors.
    rate_hz
        Line rate in bit/s.
    clock_hz
        Nominal clock.
    """

    vector_bytes: int
    wire_bits: Fraction
    rate_hz: int
    clock_hz: int

    @property
    def vector_cycles(self) -> Fraction:
        """Return the serialisation time of a vector, in cycles."""
        return self.wire_bits * self.clock_hz / self.rate_hz

    @property
    def vector_ps(self) -> Fraction:
        """Return the serialisation time of a vector, in ps."""
        return self.wire_bits * PS_PER_S / self.rate_hz

    @property
    def payload_gb_per_s(self) -> float:
        """Return the payload rate of back-to-back vectors, in 10^9 B/s."""
        return float(self.vector_bytes * self.rate_hz / self.wire_bits / 10**9)

    def offset_cycles(self, index: int) -> int:
        """Return the offset of vector `index` from the head, in whole cycles.

        >>> from specs.machine import load_machine
        >>> line = load_machine("groqrack").line
        >>> [line.offset_cycles(i) for i in (0, 1, 2, 125)]
        [0, 24, 48, 2952]
        """
        cycles = _vector_cycles(self)
        return ceil_div(index * cycles.numerator, cycles.denominator)

    def offsets_cycles(self, index: Ints) -> Ints:
        """Return `offset_cycles` of each index, exactly the same integers."""
        # In lowest terms every product fits 64 bits.
        cycles = _vector_cycles(self)
        offsets: Ints = -(-index * cycles.numerator // cycles.denominator)
        return offsets


@cache
def _vector_cycles(line: LineRate) -> Fraction:
    """Return `LineRate.vector_cycles`, kept since fractions take long to reduce."""
    return line.vector_cycles


def line_rate(
    *,
    vector_bytes: int,
    wire_bytes: int,
    rate_gbps: int,
    clock_hz: int,
    expansion: Fraction = Fraction(1),
) -> LineRate:
    """Return the line rate of a link whose code makes a frame `expansion` times longer.

    Parameters
    ----------
    vector_bytes, wire_bytes
        Payload of a vector, and its size on the wire before the code.
    rate_gbps
        Line rate in 10^9 bit/s.
    clock_hz
        Nominal clock.
    expansion
        Symbols of a codeword on the wire for each symbol of frames that it carries.
    """
    wire_bits = wire_bytes * BITS_PER_BYTE * expansion
    return LineRate(vector_bytes, wire_bits, rate_gbps * 10**9, clock_hz)

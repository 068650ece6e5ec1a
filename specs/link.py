"""The chip-to-chip link: frame, rate, latency and its jitter, receive FIFO."""

from fractions import Fraction
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, model_validator

from specs.bit_errors import BitErrorSpec
from specs.units import BITS_PER_BYTE, ceil_div


def _each(value: object) -> object:
    """Return one number as the only one of a list."""
    return (value,) if isinstance(value, int | float | str) else value


# One for each measured link; a single number holds for all.
Fractions = Annotated[
    tuple[Annotated[float, Field(ge=0, le=1)], ...],
    Field(min_length=1),
    BeforeValidator(_each),
]


class LinkSpec(BitErrorSpec):
    """One direction of a chip-to-chip link; bit errors are those of `BitErrorSpec`.

    Parameters
    ----------
    vector_bytes, wire_bytes
        Payload of a vector, and what it takes on the wire.
    rate_gbps
        Payload rate in 10^9 bit/s.
    latency_cycles
        Least latency, wire to usable in the receive FIFO, in nominal cycles.
    jitter_cycles
        Span above it; a train's latency lies in ``[latency, latency + jitter]``.
    jitter_mean_fraction, jitter_std_fraction
        Mean and standard deviation of the jitter before it is clipped to its span, as
        fractions of the span: one for each measured link, or one number for all.
    flight_ps_per_m, reference_length_m
        Propagation, and the cable length that `latency_cycles` contains.
    forward_cycles
        What each further cut-through hop adds to the way of a vector, nominally.
    fifo_vectors
        Vectors the receive FIFO holds.
    stripe_cables
        Parallel cables, where chips have them, over which a message goes at most.
    """

    vector_bytes: int = Field(gt=0)
    wire_bytes: int = Field(gt=0)
    rate_gbps: int = Field(gt=0, le=10_000)
    latency_cycles: int = Field(gt=0)
    # Its picoseconds are kept in 32 bits; a millisecond of jitter is a mistake.
    jitter_cycles: int = Field(ge=0, le=10**6)
    jitter_mean_fraction: Fractions
    jitter_std_fraction: Fractions
    flight_ps_per_m: int = Field(ge=0)
    reference_length_m: float = Field(ge=0)
    forward_cycles: int = Field(gt=0)
    fifo_vectors: int = Field(ge=1)
    stripe_cables: int = Field(ge=1)

    @model_validator(mode="after")
    def _a_vector_fits_its_frame(self) -> Self:
        if self.wire_bytes < self.vector_bytes:
            raise ValueError(
                f"wire_bytes {self.wire_bytes} is below vector_bytes "
                f"{self.vector_bytes}"
            )
        return self

    @model_validator(mode="after")
    def _means_and_deviations_are_of_the_same_links(self) -> Self:
        means, deviations = self.jitter_mean_fraction, self.jitter_std_fraction
        if 1 not in {len(means), len(deviations)} and len(means) != len(deviations):
            raise ValueError(
                f"jitter_mean_fraction has {len(means)} numbers, jitter_std_fraction "
                f"{len(deviations)}: give as many, or one number for all links"
            )
        return self

    @model_validator(mode="after")
    def _forwarding_takes_at_least_a_link(self) -> Self:
        if self.forward_cycles < self.mean_latency_cycles:
            raise ValueError(
                f"forward_cycles {self.forward_cycles} is below the link's own mean "
                f"latency, {self.mean_latency_cycles} cycles"
            )
        return self

    @property
    def mean_latency_cycles(self) -> int:
        """Return the mean latency over the reference cable, in whole cycles.

        It is the mean of the measured links, with one number for all.
        """
        means = self.jitter_mean_fraction
        return self.latency_cycles + round(sum(means) / len(means) * self.jitter_cycles)

    @property
    def jitter_rows(self) -> tuple[tuple[float, float], ...]:
        """Return mean and standard deviation of each measured link, as fractions."""
        means, deviations = self.jitter_mean_fraction, self.jitter_std_fraction
        rows = max(len(means), len(deviations))
        return tuple(
            (means[row % len(means)], deviations[row % len(deviations)])
            for row in range(rows)
        )

    @property
    def payload_gb_per_s(self) -> float:
        """Return the payload that vectors back to back carry, in 10^9 B/s."""
        framed = self.rate_gbps * self.vector_bytes / self.wire_bytes
        return framed / BITS_PER_BYTE

    def vectors(self, payload_bytes: int) -> int:
        """Return the vectors that carry `payload_bytes`."""
        return ceil_div(payload_bytes, self.vector_bytes)

    def vector_offset_cycles(self, index: int, clock_hz: int) -> int:
        """Return when vector `index` of a train follows its head, in whole cycles.

        >>> from specs.machine import load_machine
        >>> link = load_machine("groqrack").link
        >>> [link.vector_offset_cycles(i, 900_000_000) for i in (0, 1, 2, 125)]
        [0, 24, 48, 2952]
        """
        bits = index * self.wire_bytes * BITS_PER_BYTE
        return ceil_div(bits * clock_hz, self.rate_gbps * 10**9)

    def vector_offsets_cycles(
        self, index: NDArray[np.int64], clock_hz: int
    ) -> NDArray[np.int64]:
        """Return `vector_offset_cycles` of each index, the same integers."""
        # In lowest terms no product leaves 64 bits.
        bits = self.wire_bytes * BITS_PER_BYTE
        cycles = Fraction(bits * clock_hz, self.rate_gbps * 10**9)
        offsets: NDArray[np.int64] = -(-index * cycles.numerator // cycles.denominator)
        return offsets

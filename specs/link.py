"""Chip-to-chip link: frame, rate, latency, jitter and receive FIFO."""

import math
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from specs.bit_errors import BitErrorSpec
from specs.units import ceil_div


def _as_fractions(value: object) -> object:
    """Return a single number as a tuple of one; spec files may give either."""
    return (value,) if isinstance(value, int | float | str) else value


# One number per measured link, or a single number for all.
Fractions = Annotated[
    tuple[Annotated[float, Field(ge=0, le=1)], ...],
    Field(min_length=1),
    BeforeValidator(_as_fractions),
]


class LinkSpec(BitErrorSpec):
    """One direction of a chip-to-chip link, with the bit errors of `BitErrorSpec`.

    Parameters
    ----------
    vector_bytes, wire_bytes
        Payload of a vector, and its size on the wire.
    rate_gbps
        Payload rate in 10^9 bit/s.
    latency_cycles
        Least latency from the wire to a usable vector in the receive FIFO, in nominal
        cycles.
    jitter
        Law of the jitter: a ``beta`` law that ends within the span, a normal law that
        is ``clipped`` to it, or a ``gaussian`` one, whose rare draws beyond the span
        make a vector late.
    jitter_cycles
        Span of the jitter that guard bands cover; a train's latency lies in
        ``[latency, latency + jitter]``, but for the tail of a ``gaussian`` one.
    jitter_mean_fraction, jitter_std_fraction
        Mean and standard deviation of the jitter, before it is clipped, as fractions of
        the span: one per measured link, or one number for all.
    jitter_end_fraction
        Where the ``beta`` law ends, as a fraction of the span.
    flight_ps_per_m, reference_length_m
        Propagation delay, and the cable length that `latency_cycles` includes.
    forward_cycles
        Latency of each further cut-through hop of a vector, in nominal cycles.
    fifo_vectors
        Vectors that the receive FIFO holds.
    stripe_cables
        Largest number of parallel cables over which a message is striped.
    """

    vector_bytes: int = Field(gt=0)
    wire_bytes: int = Field(gt=0)
    rate_gbps: int = Field(gt=0, le=10_000)
    latency_cycles: int = Field(gt=0)
    jitter: Literal["beta", "clipped", "gaussian"]
    # In ps it must fit 32 bits; a millisecond of jitter is a mistake.
    jitter_cycles: int = Field(ge=0, le=10**6)
    jitter_mean_fraction: Fractions
    jitter_std_fraction: Fractions
    jitter_end_fraction: float = Field(gt=0, le=1)
    flight_ps_per_m: int = Field(ge=0)
    reference_length_m: float = Field(ge=0)
    forward_cycles: int = Field(gt=0)
    fifo_vectors: int = Field(ge=1)
    stripe_cables: int = Field(ge=1)

    @model_validator(mode="after")
    def _vector_fits_its_frame(self) -> Self:
        if self.wire_bytes < self.vector_bytes:
            raise ValueError(
                f"wire_bytes {self.wire_bytes} is below vector_bytes "
                f"{self.vector_bytes}"
            )
        return self

    @model_validator(mode="after")
    def _means_and_deviations_are_equally_many(self) -> Self:
        means, deviations = self.jitter_mean_fraction, self.jitter_std_fraction
        if 1 not in {len(means), len(deviations)} and len(means) != len(deviations):
            raise ValueError(
                f"jitter_mean_fraction has {len(means)} numbers, jitter_std_fraction "
                f"{len(deviations)}: give as many, or one number for all links"
            )
        return self

    @model_validator(mode="after")
    def _a_beta_law_has_mean_and_deviation(self) -> Self:
        end = self.jitter_end_fraction
        for mean, deviation in self.jitter_rows if self.jitter == "beta" else ():
            # Two values alone, at both ends, deviate most.
            most = math.sqrt(max(0.0, mean * (end - mean)))
            if mean > end or (deviation > 0 and deviation >= most):
                raise ValueError(
                    f"jitter_std_fraction {deviation:g}: a law from 0 to "
                    f"jitter_end_fraction {end:g} with jitter_mean_fraction {mean:g} "
                    f"deviates by less than {most:g}; give a smaller one, a later end, "
                    f'or jitter = "clipped"'
                )
        return self

    @model_validator(mode="after")
    def _forwarding_includes_a_link(self) -> Self:
        if self.forward_cycles < self.mean_latency_cycles:
            raise ValueError(
                f"forward_cycles {self.forward_cycles} is below the link's own mean "
                f"latency, {self.mean_latency_cycles} cycles"
            )
        return self

    @property
    def mean_latency_cycles(self) -> int:
        """Return the mean latency over the reference cable, in whole cycles.

        It is the mean over the measured links.
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

    def vectors(self, payload_bytes: int) -> int:
        """Return the number of vectors that carry `payload_bytes`."""
        return ceil_div(payload_bytes, self.vector_bytes)

"""Bit errors of a link: their rate, and the bursts of a Gilbert-Elliott channel."""

from typing import Literal, Self

from pydantic import Field, model_validator

from specs.validation import Spec


class BitErrorSpec(Spec):
    """Bit errors of a link before error correction.

    Parameters
    ----------
    ber
        Mean bit error rate, for either error model.
    errors
        Error model: ``independent``, or ``bursts`` of a Gilbert-Elliott channel.
    burst_bits, burst_ber
        Mean length of a burst, correct bits included, and bit error rate inside it.
    burst_share
        Fraction of all wrong bits that lie in bursts.
    """

    ber: float = Field(ge=0, lt=0.5)
    errors: Literal["independent", "bursts"]
    burst_bits: float = Field(ge=1)
    burst_ber: float = Field(gt=0, le=1)
    burst_share: float = Field(ge=0, le=1)

    @model_validator(mode="after")
    def _bursts_leave_room_between_them(self) -> Self:
        if self.errors == "independent":
            return self
        if self.ber >= self.burst_ber:
            raise ValueError(
                f"ber {self.ber:g} is not below burst_ber {self.burst_ber:g}: a burst "
                f"has more wrong bits than the mean; lower ber or raise burst_ber"
            )
        # At least one bit without error separates two bursts.
        most = self.burst_bits / (1 + self.burst_bits)
        if self.burst_fraction > most:
            largest = most * self.burst_ber / self.burst_share
            raise ValueError(
                f"ber {self.ber:g} puts {self.burst_fraction:.0%} of all bits in "
                f"bursts, with burst_bits {self.burst_bits:g} at most {most:.0%} can "
                f"be; lower ber below {largest:.6g}, raise burst_ber or burst_bits, "
                f"or lower burst_share"
            )
        return self

    @property
    def burst_fraction(self) -> float:
        """Return the fraction of all bits that lie in bursts."""
        return self.burst_share * self.ber / self.burst_ber

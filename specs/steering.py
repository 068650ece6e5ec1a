"""How far the crystals may be off, and what keeps the chips in step all the same."""

from typing import Literal

from pydantic import Field, field_validator

from specs.reading import Spec


class ClockSpec(Spec):
    """The crystals: their model and largest error either way, in parts per million."""

    model: Literal["ideal", "constant"]
    drift_ppm: float = Field(ge=0, lt=100_000)

    @property
    def largest_error_ppm(self) -> float:
        """Return how far a crystal may be from nominal, in ppm; ideal ones are not."""
        return 0.0 if self.model == "ideal" else self.drift_ppm


class HacSpec(Spec):
    """The hardware aligned counter: its epoch, and how far a child may be from it.

    Parameters
    ----------
    epoch_cycles
        The counter's modulus and the time between two exchanges.
    tracking_error_counts
        Largest error of a child against its parent once aligned, in counts.
    """

    epoch_cycles: int = Field(gt=1)
    tracking_error_counts: int = Field(ge=0)


class DeskewSpec(Spec):
    """How often a chip runs RUNTIME_DESKEW: epochs, 0 for never, or ``auto``."""

    interval_epochs: int | Literal["auto"] = Field(union_mode="left_to_right")

    @field_validator("interval_epochs")
    @classmethod
    def _interval_is_no_time_before_now(cls, interval: int | str) -> int | str:
        if isinstance(interval, int) and interval < 0:
            raise ValueError("must be 'auto', 0 (never) or a number of epochs")
        return interval

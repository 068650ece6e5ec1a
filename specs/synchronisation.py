"""How far the crystals may be off, and what keeps the chips in step all the same."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from specs.validation import Spec


class ClockSpec(Spec):
    """The crystals: how far they are from nominal, and whether that changes.

    Parameters
    ----------
    model
        ``ideal``, ``constant``, or ``walk``: a bounded random walk, as temperature
        makes it.
    drift_ppm
        Largest error either way, in parts per million.
    walk_step_ppm, walk_stretch_cycles
        Largest change of a walking crystal from one stretch to the next, and the
        cycles of a stretch.
    """

    model: Literal["ideal", "constant", "walk"]
    drift_ppm: float = Field(ge=0, lt=100_000)
    walk_step_ppm: float = Field(ge=0, lt=100_000)
    # A longer one in attoseconds would not fit 64 bits.
    walk_stretch_cycles: int = Field(ge=1, le=10**9)

    @model_validator(mode="after")
    def _a_step_is_within_the_tolerance(self) -> Self:
        if self.model == "walk" and self.walk_step_ppm > self.drift_ppm:
            raise ValueError(
                f"walk_step_ppm {self.walk_step_ppm:g} is more than drift_ppm "
                f"{self.drift_ppm:g}, the bound of the walk; choose a smaller step"
            )
        return self

    @property
    def largest_error_ppm(self) -> float:
        """Return how far a crystal may be from nominal, in ppm; ideal ones are not."""
        return 0.0 if self.model == "ideal" else self.drift_ppm


class HacSpec(Spec):
    """The hardware aligned counter: its epoch, and how a child follows its parent.

    Published are the exchange, its half round trip and the limited rate; how a child
    averages away jitter that is many times a count is not, so the filter is assumed.

    Parameters
    ----------
    epoch_cycles
        The counter's modulus and the time between two exchanges.
    tracking_error_counts
        Largest error of a child against its parent once aligned, in counts.
    slew_counts
        Most counts by which a child moves at one exchange.
    spacing_epochs
        Epochs between two exchanges of the bring-up: the longer, the better a child
        knows how fast its crystal is.
    exchanges, most_exchanges
        Exchanges of a link until mean and variance of the round trip are first
        compared with those of the first half, and until the bring-up ends at the
        latest; they double in between.
    window_epochs
        Readings that a tracking child averages before it corrects its estimate; a
        power of two.
    windows_per_gain, least_gain_shift
        A correction is the window's mean difference at first, and half as much again
        after every `windows_per_gain` windows, down to ``2**-least_gain_shift``.
    settle_epochs
        Epochs of tracking until a program may start.
    tree
        The spanning tree: in the fewest hops, or of the links with the least jitter.
    """

    epoch_cycles: int = Field(gt=1)
    tracking_error_counts: int = Field(ge=0)
    slew_counts: int = Field(ge=1)
    spacing_epochs: int = Field(ge=1)
    exchanges: int = Field(ge=4)
    most_exchanges: int = Field(ge=4)
    window_epochs: int = Field(ge=4)
    windows_per_gain: int = Field(ge=1)
    least_gain_shift: int = Field(ge=0, le=16)
    settle_epochs: int = Field(ge=1)
    tree: Literal["breadth_first", "least_error"]

    @field_validator("window_epochs")
    @classmethod
    def _a_window_is_averaged_by_a_shift(cls, window: int) -> int:
        if window & (window - 1):
            raise ValueError(
                f"must be a power of two, such as {1 << window.bit_length() - 1}"
            )
        return window

    @field_validator("exchanges")
    @classmethod
    def _half_of_the_exchanges_is_even(cls, exchanges: int) -> int:
        if exchanges % 4:
            raise ValueError(
                f"must be a multiple of 4, such as {exchanges // 4 * 4 + 4}"
            )
        return exchanges


class DeskewSpec(Spec):
    """How often a chip runs RUNTIME_DESKEW: epochs, 0 for never, or ``auto``."""

    interval_epochs: int | Literal["auto"] = Field(union_mode="left_to_right")

    @field_validator("interval_epochs")
    @classmethod
    def _interval_is_no_time_before_now(cls, interval: int | str) -> int | str:
        if isinstance(interval, int) and interval < 0:
            raise ValueError("must be 'auto', 0 (never) or a number of epochs")
        return interval

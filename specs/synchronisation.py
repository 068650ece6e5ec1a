"""Clock synchronisation: crystals, hardware aligned counters (HAC) and deskew."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from specs.validation import Spec


class ClockSpec(Spec):
    """Deviation of the crystals from the nominal frequency, constant or varying.

    Parameters
    ----------
    model
        ``ideal``, ``constant``, or ``walk``: a bounded random walk, as under changing
        temperature.
    drift_ppm
        Largest error of either sign, in parts per million.
    walk_step_ppm, walk_stretch_cycles
        Largest change of a walking crystal from one stretch to the next, and the length
        of a stretch in cycles.
    """

    model: Literal["ideal", "constant", "walk"]
    drift_ppm: float = Field(ge=0, lt=100_000)
    walk_step_ppm: float = Field(ge=0, lt=100_000)
    # A longer stretch does not fit 64 bits in attoseconds.
    walk_stretch_cycles: int = Field(ge=1, le=10**9)

    @model_validator(mode="after")
    def _step_is_within_the_drift(self) -> Self:
        if self.model == "walk" and self.walk_step_ppm > self.drift_ppm:
            raise ValueError(
                f"walk_step_ppm {self.walk_step_ppm:g} is more than drift_ppm "
                f"{self.drift_ppm:g}, the bound of the walk; choose a smaller step"
            )
        return self

    @property
    def largest_error_ppm(self) -> float:
        """Return the largest error of a crystal, in ppm; an ideal one has none."""
        return 0.0 if self.model == "ideal" else self.drift_ppm


class HacSpec(Spec):
    """Hardware aligned counter (HAC): its epoch, and how a child tracks its parent.

    The exchange, its half round trip and the limited rate are published. How a child
    averages jitter of many counts is not, so the filter is assumed.

    Parameters
    ----------
    epoch_cycles
        Modulus of the counter, and the time between two exchanges.
    tracking_error_counts
        Largest error of an aligned child against its parent, in counts.
    slew_counts
        Largest correction of a child at one exchange, in counts.
    spacing_epochs
        Epochs between two exchanges of the bring-up. A longer spacing gives a better
        estimate of the frequency of the crystal.
    exchanges, most_exchanges
        Exchanges of a link before mean and variance of the round trip are first
        compared with those of the first half, and the most before the bring-up ends;
        the number doubles in between.
    window_epochs
        Readings that a tracking child averages for one correction; a power of two.
    windows_per_gain, least_gain_shift
        The gain of a correction is 1 at first and halves after every `windows_per_gain`
        windows, down to ``2**-least_gain_shift``.
    settle_epochs
        Epochs of tracking before a program may start.
    tree
        Spanning tree: of the fewest hops, or of the links with the least jitter.
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
    def _window_is_a_power_of_two(cls, window: int) -> int:
        if window & (window - 1):
            raise ValueError(
                f"must be a power of two, such as {1 << window.bit_length() - 1}"
            )
        return window

    @field_validator("exchanges")
    @classmethod
    def _exchanges_are_a_multiple_of_four(cls, exchanges: int) -> int:
        if exchanges % 4:
            raise ValueError(
                f"must be a multiple of 4, such as {exchanges // 4 * 4 + 4}"
            )
        return exchanges


class DeskewSpec(Spec):
    """Interval of RUNTIME_DESKEW on a chip: epochs, 0 for never, or ``auto``."""

    interval_epochs: int | Literal["auto"] = Field(union_mode="left_to_right")

    @field_validator("interval_epochs")
    @classmethod
    def _interval_is_not_negative(cls, interval: int | str) -> int | str:
        if isinstance(interval, int) and interval < 0:
            raise ValueError("must be 'auto', 0 (never) or a number of epochs")
        return interval

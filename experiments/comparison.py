"""A published figure beside ours: how far apart, how far it may be, and of what kind.

*Input* figures went into the model as they are, *calibrated* ones fixed a constant, and
only *predicted* ones test anything.
"""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, final


class Kind(StrEnum):
    """What a row of the comparison can show."""

    INPUT = "input"
    CALIBRATED = "calibrated"
    PREDICTED = "predicted"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One published figure and ours.

    Parameters
    ----------
    name, source
        What it is, and who published it.
    published
        The figure, or the two ends of a range.
    ours
        What this program says.
    unit
        Unit of both.
    tolerance
        Largest relative error that passes, 0 for an exact figure.
    kind
        What the comparison can show.
    """

    name: str
    source: str
    published: float | tuple[float, float]
    ours: float
    unit: str
    tolerance: float
    kind: Kind

    @property
    def error(self) -> float:
        """Return the relative error, measured from the nearer end of a range."""
        low, high = self._range()
        nearest = min(max(self.ours, low), high)
        return (self.ours - nearest) / nearest

    @property
    def ok(self) -> bool:
        """Return whether the error is within the tolerance."""
        return abs(self.error) <= self.tolerance

    def to_dict(self) -> dict[str, Any]:
        """Return the row as ``groqrack validate --json`` prints it."""
        return {**asdict(self), "error": self.error, "ok": self.ok}

    def _range(self) -> tuple[float, float]:
        if isinstance(self.published, tuple):
            return self.published
        return self.published, self.published

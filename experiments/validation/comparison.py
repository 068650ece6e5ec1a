"""Comparison of a published figure with ours: the error, and whether the two agree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, final

from experiments.validation.published_figures import PublishedFigure, figures_of


class Outcome(StrEnum):
    """Outcome of a comparison."""

    AGREES = "agrees"
    DISAGREES = "disagrees"
    KNOWN = "known disagreement"
    AGREES_AGAIN = "agrees again"


@final
@dataclass(frozen=True, slots=True)
class Comparison:
    """Published figure, and the figure of this program.

    Parameters
    ----------
    figure
        The published figure.
    ours
        The figure of this program, in the same unit.
    """

    figure: PublishedFigure
    ours: float

    @property
    def error(self) -> float:
        """Return the relative error, from the nearer end of a range; 0 within it."""
        low, high = self.figure.ends
        nearest = min(max(self.ours, low), high)
        return (self.ours - nearest) / nearest

    @property
    def nearer_end(self) -> float:
        """Return the end of the published range that is nearer; of a limit, itself."""
        low, high = self.figure.ends
        return low if low and abs(self.ours - low) < abs(self.ours - high) else high

    @property
    def ok(self) -> bool:
        """Return whether the error is within the tolerance."""
        return abs(self.error) <= self.figure.tolerance

    @property
    def outcome(self) -> Outcome:
        """Return whether the two agree, and whether that is known."""
        if self.figure.reason is None:
            return Outcome.AGREES if self.ok else Outcome.DISAGREES
        return Outcome.AGREES_AGAIN if self.ok else Outcome.KNOWN

    def to_dict(self) -> dict[str, Any]:
        """Return the row as ``groqrack validate --json`` prints it."""
        figure = self.figure
        return {
            "name": figure.name,
            "group": figure.group,
            "source": figure.source,
            "published": figure.published,
            "ours": self.ours,
            "unit": figure.unit,
            "error": self.error,
            "tolerance": figure.tolerance,
            "tolerance_from": figure.tolerance_from,
            "kind": figure.kind,
            "ok": self.ok,
            "outcome": self.outcome,
            "reason": figure.reason,
        }


def compared(group: str, ours: Mapping[str, float]) -> list[Comparison]:
    """Return the comparisons of a group: our figures, by label, with the published.

    Parameters
    ----------
    group
        Title of the group in the data file.
    ours
        Our figure for each label of the group, none left out.
    """
    figures = figures_of(group)
    labels = {figure.label for figure in figures}
    assert ours.keys() == labels, f"{group}: {sorted(ours.keys() ^ labels)}"
    return [Comparison(figure, ours[figure.label]) for figure in figures]


def missed(rows: Sequence[Comparison]) -> list[Comparison]:
    """Return the disagreements that are not known: those that fail a validation."""
    return [row for row in rows if row.outcome is Outcome.DISAGREES]

"""A published figure beside ours: how far apart, how far they may be, of what kind.

*Input* figures went into the model as they are, *calibrated* ones fixed a constant, and
only *predicted* ones test anything.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, final

from rich.table import Table
from rich.text import Text

_WORDS = ("figure", "kind")


class FigureKind(StrEnum):
    """What a row of the comparison can show."""

    INPUT = "input"
    CALIBRATED = "calibrated"
    PREDICTED = "predicted"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedFigure:
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
    kind: FigureKind

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


def validation_report(rows: list[PublishedFigure]) -> Table:
    """Return the comparison as a table for people."""
    table = Table(box=None, pad_edge=False, collapse_padding=True)
    columns: list[tuple[str, Callable[[PublishedFigure], str]]] = [
        ("figure", _figure),
        ("published", _published),
        ("ours", lambda row: _number(row.ours)),
        ("error", lambda row: f"{row.error:+.1%}" if row.error else "exact"),
        ("within", lambda row: f"{row.tolerance:.1%}" if row.tolerance else "exact"),
        ("kind", lambda row: row.kind),
    ]
    for name, _ in columns:
        table.add_column(name, justify="left" if name in _WORDS else "right")
    table.add_column("")
    for row in rows:
        verdict = (
            Text("ok", style="green") if row.ok else Text("MISS", style="bold red")
        )
        table.add_row(*(cell(row) for _, cell in columns), verdict)
    return table


def _figure(row: PublishedFigure) -> str:
    """Return the name, with the unit unless the name says it."""
    return row.name if row.unit in row.name else f"{row.name} ({row.unit})"


def _published(row: PublishedFigure) -> str:
    if isinstance(row.published, tuple):
        return "..".join(_number(end) for end in row.published)
    return _number(row.published)


def _number(value: float) -> str:
    if value >= 10**9:
        return f"{value / 10**9:.2f} G"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.4g}"

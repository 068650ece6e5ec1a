"""Comparison with a published figure: its error, its tolerance and its kind.

An *input* figure is a parameter of the model, and a *calibrated* one determined a
constant of it. Only *predicted* figures test the model.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, final

from rich.table import Table
from rich.text import Text

_TEXT_COLUMNS = ("figure", "kind")


class FigureKind(StrEnum):
    """Kind of a figure: what its comparison can show."""

    INPUT = "input"
    CALIBRATED = "calibrated"
    PREDICTED = "predicted"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedFigure:
    """Published figure, and the figure of this program.

    Parameters
    ----------
    name, source
        Name of the figure, and its source.
    published
        The figure, or the two ends of a range.
    ours
        The figure of this program.
    unit
        Unit of both figures.
    tolerance
        Largest relative error allowed, 0 for an exact figure.
    kind
        Kind of the figure.
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
        """Return the relative error, from the nearer end of a range; 0 within it."""
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
        """Return both ends of the published range."""
        if isinstance(self.published, tuple):
            return self.published
        return self.published, self.published


def validation_report(rows: list[PublishedFigure]) -> Table:
    """Return the comparisons with published figures as a text table."""
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
        table.add_column(name, justify="left" if name in _TEXT_COLUMNS else "right")
    table.add_column("")
    for row in rows:
        outcome = (
            Text("ok", style="green") if row.ok else Text("MISS", style="bold red")
        )
        table.add_row(*(cell(row) for _, cell in columns), outcome)
    return table


def _figure(row: PublishedFigure) -> str:
    """Return the name of a published figure, with its unit unless it contains it."""
    return row.name if row.unit in row.name else f"{row.name} ({row.unit})"


def _published(row: PublishedFigure) -> str:
    """Return the published figure or range as text."""
    if isinstance(row.published, tuple):
        return "..".join(_number(end) for end in row.published)
    return _number(row.published)


def _number(value: float) -> str:
    """Return a number of a published figure as text of few digits."""
    if value >= 10**9:
        return f"{value / 10**9:.2f} G"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.4g}"

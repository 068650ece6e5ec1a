"""Published figures as data: what a source says, how exactly, and known disagreements.

They are in ``published.toml``, the only place that has them. An *input* figure is a
parameter of the model, and a *calibrated* one determined a constant of it. Only
*predicted* figures test the model.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import final

from pydantic import Field

from specs.validation import Spec, build, read_mapping

_FILE = Path(__file__).with_name("published.toml")
_RANGE, _PERCENT = "..", "%"


class FigureKind(StrEnum):
    """Kind of a figure: what its comparison can show."""

    INPUT = "input"
    CALIBRATED = "calibrated"
    PREDICTED = "predicted"


class ToleranceBasis(StrEnum):
    """Basis of a tolerance: what of the source supports it."""

    EXACT = "exact"
    DIGITS = "digits"
    RANGE = "range"
    COUNT = "count"
    ERROR_BARS = "error bars"
    CHART = "chart"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedFigure:
    """Published figure with the tolerance that its source supports.

    Parameters
    ----------
    group, label
        Subject of the figure, and the figure within it.
    source
        Key of the source in ``docs/sources.md``.
    published
        The figure, or the two ends of a range; an upper limit is a range from 0.
    unit
        Unit of the figure.
    kind
        Kind of the figure.
    tolerance
        Largest relative error that the source supports, 0 for an exact figure.
    tolerance_from
        Basis of the tolerance.
    at
        Parameters of the figure, such as the batch of a product.
    reason
        Reason of a known disagreement, or None.
    """

    group: str
    label: str
    source: str
    published: float | tuple[float, float]
    unit: str
    kind: FigureKind
    tolerance: float
    tolerance_from: ToleranceBasis
    at: Mapping[str, int]
    reason: str | None

    @property
    def name(self) -> str:
        """Return the name of the figure, which no other has."""
        return f"{self.group}: {self.label}"

    @property
    def ends(self) -> tuple[float, float]:
        """Return both ends of the published range."""
        if isinstance(self.published, tuple):
            return self.published
        return self.published, self.published


class _Row(Spec):
    """Row of the data file; what is None or empty is that of its group."""

    name: str
    published: str
    unit: str | None = None
    source: str | None = None
    within: ToleranceBasis | None = None
    at: dict[str, int] = Field(default_factory=dict)
    disagrees: str | None = None


class _Group(Spec):
    """Group of rows of the data file, of one kind."""

    title: str
    kind: FigureKind
    source: str
    within: ToleranceBasis
    bar: str | None = None
    unit: str | None = None
    disagrees: str | None = None
    rows: tuple[_Row, ...]


class _Content(Spec):
    """Content of the data file."""

    groups: tuple[_Group, ...]
    reasons: dict[str, str]


@cache
def published_figures(path: Path = _FILE) -> tuple[PublishedFigure, ...]:
    """Return all published figures, in the order of the data file.

    Raises
    ------
    SpecError
        If the file has an unknown key or a value of the wrong type.
    """
    content = build(_Content, read_mapping(path), path.name)
    return tuple(
        _figure(row, group, content.reasons)
        for group in content.groups
        for row in group.rows
    )


def figures_of(group: str) -> tuple[PublishedFigure, ...]:
    """Return the published figures of a group."""
    return tuple(figure for figure in published_figures() if figure.group == group)


def _figure(row: _Row, group: _Group, reasons: Mapping[str, str]) -> PublishedFigure:
    """Return the published figure of a row of the data file."""
    unit = row.unit or group.unit
    assert unit is not None, f"{row.name} has no unit"
    within = row.within or group.within
    disagrees = row.disagrees or group.disagrees
    low, range_sign, high = row.published.partition(_RANGE)
    ends = (float(low or 0), float(high or low))
    return PublishedFigure(
        group=group.title,
        label=row.name,
        source=row.source or group.source,
        published=ends if range_sign else ends[0],
        unit=unit,
        kind=group.kind,
        tolerance=supported_tolerance(row.published, within, group.bar),
        tolerance_from=within,
        at=row.at,
        reason=None if disagrees is None else reasons[disagrees],
    )


def supported_tolerance(
    published: str, within: ToleranceBasis, bar: str | None = None
) -> float:
    """Return the relative tolerance that a published figure supports.

    Parameters
    ----------
    published
        The figure with the digits that were published.
    within
        Basis of the tolerance.
    bar
        Error bar in the unit of the figure or, with ``%``, as a share of it; needed for
        error bars and charts.

    >>> supported_tolerance("0.35", ToleranceBasis.DIGITS)
    0.014285714285714285
    >>> supported_tolerance("8e3", ToleranceBasis.DIGITS)
    0.0625
    >>> supported_tolerance("330", ToleranceBasis.CHART, "10 %")
    0.1
    >>> supported_tolerance("240..300", ToleranceBasis.RANGE)
    0.0
    """
    if within in (ToleranceBasis.EXACT, ToleranceBasis.RANGE):
        assert (within is ToleranceBasis.RANGE) == (_RANGE in published), published
        return 0.0
    figure = Decimal(published)
    if within is ToleranceBasis.COUNT:
        return float(1 / figure)
    if within is ToleranceBasis.DIGITS:
        exponent = figure.as_tuple().exponent
        assert isinstance(exponent, int), published
        return float(Decimal(5).scaleb(exponent - 1) / figure)
    assert bar is not None, f"{published}: {within} without a bar"
    if bar.endswith(_PERCENT):
        return float(Decimal(bar.removesuffix(_PERCENT).strip()) / 100)
    return float(Decimal(bar) / figure)

"""Printed report of comparisons with published figures, in 80 columns."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from string import ascii_lowercase

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from experiments.validation.comparison import Comparison, Outcome
from experiments.validation.published_figures import PublishedFigure, ToleranceBasis

# Columns of text that the report needs.
REPORT_WIDTH = 80
# Heading and width of each column, which are the same in the table of each group.
# With a space between two columns they take all 80.
_COLUMNS = (
    *(("figure", 29), ("published", 9), ("ours", 7), ("error", 6)),
    *(("within", 6), ("by", 6), ("", 11)),
)
_LEFT = ("figure", "by", "")
_STYLES = {
    Outcome.AGREES: "green",
    Outcome.KNOWN: "yellow",
    Outcome.DISAGREES: "bold red",
    Outcome.AGREES_AGAIN: "bold yellow",
}
_NO_UNIT = "fraction"
_BASES = {ToleranceBasis.ERROR_BARS: "bars"}
_LARGE_UNITS = ((10**9, "G"), (10**6, "M"))
_MOST_WITH_DIGITS, _LEAST_PLAIN = 1e4, 1e-3
# Below the first an error needs two digits, from the second on it has room for none.
_SMALL_ERROR, _HUGE_ERROR = 1e-3, 10
_SMALL_PERCENT = 1e-2


def validation_report(rows: Sequence[Comparison]) -> RenderableType:
    """Return comparisons as a table for each group, with notes and totals below.

    A note has the reason of known disagreements; the table has its letter.
    """
    known = (row.figure.reason for row in rows if row.outcome is Outcome.KNOWN)
    letters = dict(zip(dict.fromkeys(known), ascii_lowercase, strict=False))
    parts: list[RenderableType] = [_table([], letters, headings=True)]
    for _, members in groupby(rows, key=lambda row: row.figure.group):
        group = list(members)
        parts += [Text(_title(group), style="bold"), _table(group, letters)]
    if letters:
        parts += [Text(), Text("Known disagreements", style="bold")]
        parts += [Text(f"({letter}) {text}") for text, letter in letters.items()]
    return Group(*parts, Text(), *map(Text, _totals(rows)))


def _table(
    rows: Sequence[Comparison], letters: dict[str | None, str], headings: bool = False
) -> Table:
    """Return the text table of a group, or an empty one with the headings alone."""
    table = Table(box=None, pad_edge=False, collapse_padding=True, show_header=headings)
    for heading, width in _COLUMNS:
        left = heading in _LEFT
        table.add_column(heading, justify="left" if left else "right", width=width)
    unit = _shared_unit(rows)
    for row in rows:
        figure = row.figure
        outcome = "disagrees" if not row.ok else "agrees"
        if row.outcome is Outcome.KNOWN:
            outcome += f" {letters[figure.reason]}"
        elif row.outcome is not Outcome.AGREES:
            outcome = f"{outcome.upper()} !"
        table.add_row(
            f"  {_label(row, unit)}",
            published_text(figure),
            number_text(row.ours),
            _error(row),
            *_tolerance(figure),
            Text(outcome, style=_STYLES[row.outcome]),
        )
    return table


def _title(group: Sequence[Comparison]) -> str:
    """Return the heading of a group: subject, unit, kind and sources."""
    first = group[0].figure
    unit = _shared_unit(group)
    sources = ", ".join(dict.fromkeys(row.figure.source for row in group))
    shown = f" ({unit})" if unit and unit != _NO_UNIT else ""
    return f"{first.group}{shown}: {first.kind}, {sources}"


def _shared_unit(group: Sequence[Comparison]) -> str:
    """Return the unit of all rows of a group, or nothing if they differ."""
    units = {row.figure.unit for row in group}
    return units.pop() if len(units) == 1 else ""


def _label(row: Comparison, shared_unit: str) -> str:
    """Return the label of a row, with its unit if neither it nor the group says it."""
    label, unit = row.figure.label, row.figure.unit
    if shared_unit or unit == _NO_UNIT or unit in label:
        return label
    return f"{label} ({unit})"


def _totals(rows: Sequence[Comparison]) -> Iterator[str]:
    """Yield the lines below a report: how many figures agree, and what is new."""

    def names(outcome: Outcome) -> list[str]:
        return [row.figure.name for row in rows if row.outcome is outcome]

    new, again = names(Outcome.DISAGREES), names(Outcome.AGREES_AGAIN)
    agreeing = sum(row.ok for row in rows)
    known = len(rows) - agreeing - len(new)
    yield (
        f"{len(rows)} figures: {agreeing} agree, {known} disagree as known, {len(new)} "
        "disagree and are not known to"
    )
    yield from (f"! not known to disagree: {name}" for name in new)
    yield from (f"! known to disagree, and agrees now: {name}" for name in again)


def published_text(figure: PublishedFigure) -> str:
    """Return a published figure, limit or range as text."""
    low, high = figure.ends
    if low == high:
        return number_text(low)
    return (
        f"{number_text(low)}..{number_text(high)}" if low else f"<= {number_text(high)}"
    )


def number_text(value: float) -> str:
    """Return a number of a published figure as text of at most seven characters.

    >>> [number_text(value) for value in (68.98e9, 327680.4, 216.87, 26.125, 0.03030)]
    ['68.98 G', '327,680', '216.87', '26.125', '0.0303']
    """
    for unit, name in _LARGE_UNITS:
        if value >= unit:
            return f"{value / unit:.4g} {name}"
    if value == int(value) or value >= _MOST_WITH_DIGITS:
        return f"{value:,.0f}"
    if value >= 1:
        return f"{value:,.5g}"
    return f"{value:.4f}".rstrip("0") if value >= _LEAST_PLAIN else f"{value:.1e}"


def _error(row: Comparison) -> str:
    """Return the relative error of a row as text."""
    low, high = row.figure.ends
    size = abs(row.error)
    if not size:
        return "exact" if low == high else "inside"
    digits = 2 if size < _SMALL_ERROR else 1 if size < _HUGE_ERROR else 0
    return f"{row.error:+.{digits}%}"


def _tolerance(figure: PublishedFigure) -> tuple[str, str]:
    """Return the tolerance of a figure as text, and what supports it if it has one."""
    if not figure.tolerance:
        return figure.tolerance_from, ""
    basis = figure.tolerance_from
    return _percent(figure.tolerance), _BASES.get(basis, basis)


def _percent(tolerance: float) -> str:
    """Return a tolerance as text of two digits.

    >>> [_percent(tolerance) for tolerance in (0.1, 0.0625, 0.00016, 0.00007)]
    ['10%', '6.2%', '0.016%', '0.007%']
    """
    percent = 100 * tolerance
    return f"{percent:.3f}%" if percent < _SMALL_PERCENT else f"{percent:.2g}%"

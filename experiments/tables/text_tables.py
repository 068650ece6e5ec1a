"""Text tables of 80 columns: names at the end of rows, and points of a sweep."""

from collections.abc import Callable, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from experiments.tables.columns import TableRow

_WIDTH = 80
# Blanks that Rich leaves between columns.
_BETWEEN = 2
# A name that is too long continues on an indented line.
_INDENT = "  "


def named_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Return a text table with columns of numbers and a last column of names.

    No name is truncated: one that is wider than the room left continues on the next
    line, after a comma.

    Parameters
    ----------
    headings
        One for each column.
    rows
        As many cells each.
    """
    numbers = zip(headings[:-1], *(row[:-1] for row in rows), strict=True)
    taken = sum(max(map(len, column)) + _BETWEEN for column in numbers)
    table = Table(box=None, pad_edge=False)
    for heading in headings[:-1]:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column(headings[-1], no_wrap=True)
    for row in rows:
        table.add_row(*row[:-1], wrapped_name(row[-1], _WIDTH - taken))
    return table


def wrapped_name(name: str, room: int) -> str:
    r"""Return the name in a text table wrapped at commas to `room` characters a line.

    >>> wrapped_name("tensor=8,pipeline=36,expert=4,routing=balanced", 32)
    'tensor=8,pipeline=36,expert=4,\n  routing=balanced'
    >>> wrapped_name("tensor=8,pipeline=36", 20)
    'tensor=8,pipeline=36'
    """
    first, *pieces = name.split(",")
    lines = [first]
    for number, piece in enumerate(pieces, start=1):
        # A comma follows each piece but the last.
        comma = number < len(pieces)
        if len(lines[-1]) + 1 + len(piece) + comma <= room:
            lines[-1] += f",{piece}"
        else:
            lines[-1] += ","
            lines.append(_INDENT + piece)
    return "\n".join(lines)


def titled(title: str, *parts: RenderableType) -> RenderableType:
    """Return the parts of a text table under a title that may be wider than it."""
    return Group(Text(title, style="italic"), *parts)


def swept_table(
    rows: Sequence[TableRow],
    names: Sequence[str],
    headings: Mapping[str, str],
    cell: Callable[[TableRow, str], str],
) -> Group:
    """Return the text table of a sweep, with the first refusal below it.

    Parameters
    ----------
    rows
        A row for each point, with its swept keys, ``feasible`` and ``reason``.
    names
        The swept keys.
    headings
        Headings of further columns by their name.
    cell
        Returns a value of a row as text.
    """
    table = Table(box=None, pad_edge=False)
    for name in names:
        table.add_column(name, justify="right", overflow="fold")
    for heading in headings.values():
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(
            *(str(row[name]) for name in names), *(cell(row, name) for name in headings)
        )
    reasons = [row["reason"] for row in rows if not row["feasible"]]
    if not reasons:
        return Group(table)
    first = f"-: refused, {len(reasons):,} of {len(rows):,}; the first: {reasons[0]}"
    # A reason may name a [table], which is no markup.
    return Group(table, "", Text(first))

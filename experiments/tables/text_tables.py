"""Tables whose rows end in a long name, such as a strategy, in 80 columns."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

_WIDTH = 80
# Rich leaves so much between columns.
_BETWEEN = 2
# Names go on in another line, further in.
_INDENT = "  "


def named_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Return a table of numbers and, last in each row, a name.

    Nothing is cut: a name that finds no room in its line goes on in another one, after
    a comma.

    Parameters
    ----------
    headings
        One for each column.
    rows
        As many cells each.
    """
    numbers = zip(headings[:-1], *(row[:-1] for row in rows), strict=True)
    taken = sum(max(map(len, column)) + _BETWEEN for column in numbers)
    made = Table(box=None, pad_edge=False)
    for heading in headings[:-1]:
        made.add_column(heading, justify="right", no_wrap=True)
    made.add_column(headings[-1], no_wrap=True)
    for row in rows:
        made.add_row(*row[:-1], wrapped_name(row[-1], _WIDTH - taken))
    return made


def wrapped_name(name: str, room: int) -> str:
    r"""Return a name in lines of no more than `room` characters, broken at commas.

    >>> wrapped_name("tensor=8,pipeline=36,expert=4,routing=balanced", 32)
    'tensor=8,pipeline=36,expert=4,\n  routing=balanced'
    >>> wrapped_name("tensor=8,pipeline=36", 20)
    'tensor=8,pipeline=36'
    """
    first, *pieces = name.split(",")
    lines = [first]
    for number, piece in enumerate(pieces, start=1):
        # But for the last piece, a comma follows.
        comma = number < len(pieces)
        if len(lines[-1]) + 1 + len(piece) + comma <= room:
            lines[-1] += f",{piece}"
        else:
            lines[-1] += ","
            lines.append(_INDENT + piece)
    return "\n".join(lines)


def titled(title: str, *parts: RenderableType) -> RenderableType:
    """Return parts under a title, which may be wider than a table."""
    return Group(Text(title, style="italic"), *parts)

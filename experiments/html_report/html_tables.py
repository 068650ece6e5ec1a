"""Tables and words of a report's page as HTML, every text escaped."""

import json
from html import escape
from typing import Any

from experiments.html_report.comparison import Difference

_THOUSAND = 1000


def difference_table(name: str, rows: list[Difference]) -> str:
    """Return signed differences as a table of the page."""
    body = "".join(
        f'<tr><td class="text">{escape(row.key)}</td><td>{_grouped(row.first)}</td>'
        f"<td>{_grouped(row.second)}</td>"
        f'<td class="{"up" if row.change > 0 else "down"}">{_signed(row.change)}</td>'
        f"<td>{row.share:+.1%}</td></tr>"
        for row in rows
    )
    heads = "".join(
        f'<th scope="col"{" class=text" if head == "key" else ""}>{head}</th>'
        for head in ("key", "A", "B", "B \N{MINUS SIGN} A", "share")
    )
    return (
        f'<table id="{name}"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody>'
        "</table>"
    )


def html_table(name: str, heads: list[str], rows: list[list[str]]) -> str:
    """Return words as a table of the page."""
    head = "".join(
        f'<th class="text" scope="col">{escape(each)}</th>' for each in heads
    )
    body = "".join(
        f"<tr>{''.join(f'<td class=text>{escape(each)}</td>' for each in row)}</tr>"
        for row in rows
    )
    top = f"<thead><tr>{head}</tr></thead>"
    return f'<table id="{name}">{top}<tbody>{body}</tbody></table>'


def exact(value: Any) -> str:
    """Return a value of a summary in the page as JSON has it, text without quotes."""
    return value if isinstance(value, str) else json.dumps(value)


def _grouped(value: float) -> str:
    """Return a number of the page with its thousands apart."""
    if float(value).is_integer():
        return f"{int(value):,}"
    places = 1 if abs(value) >= _THOUSAND else 3 if abs(value) >= 1 else 6
    return f"{value:,.{places}f}"


def _signed(value: float) -> str:
    """Return a change on the page with its sign."""
    return ("+" if value > 0 else "\N{MINUS SIGN}") + _grouped(abs(value))

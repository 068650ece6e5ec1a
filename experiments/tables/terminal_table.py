"""Terminal table: the printed table of an experiment script, in 80 columns."""

import textwrap
from collections.abc import Mapping
from functools import partial

import pandas as pd

_WIDTH = 80
# Numbers from here on, or below the last digit shown, are printed with an exponent.
_EXPONENT_FROM = 1e5


def terminal_table(
    table: pd.DataFrame, shown: Mapping[str, str], *, digits: int = 1
) -> str:
    """Return the table that an experiment script prints, a line for each row.

    The reason of a refused row is too long for a line: the first one stands below, and
    the CSV has all.
    """
    names = [name for name in shown if name in table.columns]
    cells = table[names].rename(columns=shown)
    for name, column in cells.select_dtypes("Int64").items():
        # pandas prints <NA> for a missing whole number and ignores `na_rep`.
        cells[name] = column.astype(object).where(column.notna(), "-")
    lines = cells.to_string(
        index=False, na_rep="-", float_format=partial(_number, digits=digits)
    )
    if "feasible" not in table.columns:
        return lines
    refused = int((~table["feasible"]).sum())
    if refused:
        lines += (
            f"\n\n-: refused, {refused} of {len(table)} points; "
            f"the CSV has each reason, such as\n{_first_reason(table)}"
        )
    return lines


def _number(value: float, digits: int = 1) -> str:
    """Return a number of a table in few characters: plain, or with an exponent.

    >>> [_number(value) for value in (0.0, 1762.04, 1e-12, 3.7e15)]
    ['0.0', '1,762.0', '1.0e-12', '3.7e+15']
    """
    plain = value == 0 or 10**-digits <= abs(value) < _EXPONENT_FROM
    return f"{value:,.{digits}f}" if plain else f"{value:.{digits}e}"


def _first_reason(table: pd.DataFrame) -> str:
    """Return the reason of the table's first refused row, wrapped."""
    reason = str(table.loc[~table["feasible"], "reason"].iloc[0])
    return textwrap.fill(reason, width=_WIDTH)

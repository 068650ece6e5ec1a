"""Packing of tables into a page: column by column, repeated values once."""

from typing import Any

import numpy as np
import pandas as pd


def packed(table: pd.DataFrame) -> dict[str, Any]:
    """Return a table of a report as JSON values.

    Returns
    -------
    dict
        ``rows``, and ``columns``: for each name its ``values``, or if few of them
        differ, those that do (``words``) and which each row has (``codes``).

    Examples
    --------
    >>> packed(pd.DataFrame({"a": [7, 7, 7]}))
    {'rows': 3, 'columns': {'a': {'words': [7], 'codes': [0, 0, 0]}}}
    """
    columns = {str(name): _packed_column(table[name]) for name in table.columns}
    return {"rows": len(table), "columns": columns}


def _packed_column(column: "pd.Series[Any]") -> dict[str, Any]:
    """Return a column of a report, by its values or by words and codes."""
    codes, words = pd.factorize(column, use_na_sentinel=False)
    shown = [_plain(word) for word in words]
    if len(words) * 2 <= len(column):
        return {"words": shown, "codes": codes.tolist()}
    return {"values": [shown[code] for code in codes.tolist()]}


def _plain(value: Any) -> Any:
    """Return a value of a report as JSON has it; a missing one is null."""
    if isinstance(value, str):
        return value
    if pd.isna(value):
        return None
    number = value.item() if hasattr(value, "item") else value
    if isinstance(number, float):
        if not np.isfinite(number):
            return None
        return int(number) if number.is_integer() else number
    return number

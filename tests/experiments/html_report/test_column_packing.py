import numpy as np
import pandas as pd

from experiments.html_report.column_packing import packed


def test_a_column_that_repeats_itself_is_said_once() -> None:
    table = pd.DataFrame({"few": ["a", "b", "a", "a"], "many": [1, 2, 3, 4]})
    assert packed(table)["columns"] == {
        "few": {"words": ["a", "b"], "codes": [0, 1, 0, 0]},
        "many": {"values": [1, 2, 3, 4]},
    }


def test_what_is_missing_or_endless_is_null() -> None:
    table = pd.DataFrame({"x": [np.nan, 1.5, np.inf, 2.0]})
    assert packed(table)["columns"]["x"]["values"] == [None, 1.5, None, 2]


def test_a_table_without_rows_keeps_its_columns() -> None:
    table = pd.DataFrame({"x": pd.Series([], dtype=np.int64)})
    assert packed(table) == {"rows": 0, "columns": {"x": {"words": [], "codes": []}}}

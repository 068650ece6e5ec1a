import pandas as pd

from experiments.tables.terminal_table import terminal_table


def test_shown_columns_are_in_order_under_their_headings() -> None:
    table = pd.DataFrame({"a": [1, 2], "b": [0.25, 1234.5], "c": ["x", "y"]})
    lines = terminal_table(table, {"c": "name", "b": "us"}).splitlines()
    assert [line.split() for line in lines] == [
        ["name", "us"],
        ["x", "0.2"],
        ["y", "1,234.5"],
    ]


def test_a_missing_whole_number_is_a_dash() -> None:
    table = pd.DataFrame({"a": pd.array([1, None], dtype="Int64")})
    assert terminal_table(table, {"a": "a"}).split() == ["a", "1", "-"]


def test_refused_rows_are_counted_and_the_first_reason_stands_below() -> None:
    table = pd.DataFrame(
        {"us": [1.0, None], "feasible": [True, False], "reason": ["", "no room"]}
    )
    printed = terminal_table(table, {"us": "us"})
    assert printed.splitlines()[:3] == [" us", "1.0", "  -"]
    assert printed.endswith(
        "\n\n-: refused, 1 of 2 points; the CSV has each reason, such as\nno room"
    )

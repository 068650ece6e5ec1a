"""Text tables: names wrapped at commas, and titles wider than their table."""

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from experiments.tables.columns import TableRow
from experiments.tables.text_tables import (
    named_table,
    swept_table,
    titled,
    wrapped_name,
)

names = st.lists(st.text("abc=2", min_size=1, max_size=12), min_size=1, max_size=9)


@given(pieces=names, room=st.integers(1, 60))
def test_a_broken_name_is_whole_and_in_its_room_where_its_pieces_are(
    pieces: list[str], room: int
) -> None:
    name = ",".join(pieces)
    lines = wrapped_name(name, room).split("\n")
    assert "".join(line.strip() for line in lines) == name
    if all(len(piece) + 3 <= room for piece in pieces):
        assert all(len(line) <= room for line in lines)
    if len(name) <= room:
        assert lines == [name]


def test_long_names_fill_a_line_of_80_columns_and_go_on_in_the_next() -> None:
    name = "tensor=144,pipeline=36,data=2,expert=16,attention=16,routing=balanced"
    console = Console(width=80, color_system=None)
    with console.capture() as printed:
        console.print(named_table(["cycles", "strategy"], [["1,234,567", name]]))
    assert [line.rstrip() for line in printed.get().splitlines()] == [
        "   cycles  strategy",
        f"1,234,567  {name}",
    ]
    with console.capture() as printed:
        console.print(named_table(["cycles", "strategy"], [["1" * 20, name]]))
    assert [line.rstrip() for line in printed.get().splitlines()][1:] == [
        "11111111111111111111  tensor=144,pipeline=36,data=2,expert=16,attention=16,",
        " " * 24 + "routing=balanced",
    ]


def test_a_title_may_be_wider_than_its_table() -> None:
    console = Console(width=80, color_system=None)
    title = "A title that is wider than the two columns below it"
    with console.capture() as printed:
        console.print(titled(title, named_table(["n", "name"], [["1", "a"]]), "note"))
    lines = [line.rstrip() for line in printed.get().splitlines()]
    assert lines == [title, "n  name", "1  a", "note"]


def test_the_points_of_a_sweep_are_rows_and_the_first_refusal_follows() -> None:
    rows: list[TableRow] = [
        {"chips": 2, "us": 1.5, "feasible": True, "reason": ""},
        {"chips": 4, "feasible": False, "reason": "no [table] of 4"},
        {"chips": 8, "feasible": False, "reason": "no table of 8"},
    ]
    table = swept_table(
        rows, ["chips"], {"us": "us"}, lambda row, name: str(row.get(name, "-"))
    )
    console = Console(width=80, color_system=None)
    with console.capture() as printed:
        console.print(table)
    heading, *points, _, refused = printed.get().splitlines()
    assert heading.split() == ["chips", "us"]
    assert [line.split() for line in points] == [["2", "1.5"], ["4", "-"], ["8", "-"]]
    assert refused == "-: refused, 2 of 3; the first: no [table] of 4"

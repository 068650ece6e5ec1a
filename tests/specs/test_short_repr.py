"""Short forms of records: no repr that fills a terminal, and a table for a notebook."""

from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

import numpy as np
import pytest

from specs.errors import SpecError
from specs.machine import load_machine
from specs.short_repr import html_table, phrase, short_repr
from topologies.selection import select_topology


class Colour(Enum):
    RED = 1


class Pair(NamedTuple):
    left: int
    right: int


@dataclass
class Record:
    name: str
    pair: Pair
    __repr__ = short_repr
    _repr_html_ = html_table


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (np.zeros((3, 2), np.int32), "int32[3, 2]"),
        (Pair(1, 2), "<Pair>"),
        (Record("small", Pair(1, 2)), "<Record small>"),
        ((1, 2.5), "(1, 2.5)"),
        ((1,), "(1,)"),
        (tuple(range(9)), "<9 x int>"),
        ([Pair(1, 2)], "<1 x Pair>"),
        ({n: n for n in range(9)}, "<dict of 9>"),
        ("a" * 100, f"'{'a' * 59}..."),
        (None, "None"),
    ],
)
def test_a_field_is_one_phrase(value: Any, said: str) -> None:
    assert phrase(value) == said


def test_a_record_is_a_line_of_its_fields() -> None:
    record = Record("small", Pair(1, 2))
    assert repr(record) == "Record(name='small', pair=<Pair>)"


def test_a_table_for_a_notebook_escapes_what_users_wrote() -> None:
    table = html_table(Record("<script>", Pair(1, 2)))
    assert "<script>" not in table
    assert "&lt;script&gt;" in table
    assert table.count("<tr>") == 2


def test_the_largest_machine_is_described_in_a_few_lines() -> None:
    for value in (select_topology(10_440), load_machine()):
        assert len(repr(value)) < 2000
        assert value._repr_html_().startswith("<table>")


def test_errors_are_no_records() -> None:
    assert phrase(SpecError("no")) == "SpecError('no')"

from pathlib import Path

import pytest

from specs.errors import SpecError
from specs.faults import ChipStops, LinkDies, LinkErrorRate, load_faults

# What a person writes, and what the answer must name: the mistake, number, way out.
REFUSED: dict[str, tuple[str, list[str]]] = {
    "unknown kind": (
        '[[fault]]\nkind = "link-dead"\nat_us = 1\nlink = 0',
        ["fault 1", "'link-dead'", "did you mean 'link-dies'?"],
    ),
    "missing kind": (
        "[[fault]]\nat_us = 1\nlink = 0",
        ["fault 1", "'kind' is missing", "link-dies", "link-ber", "chip-stops"],
    ),
    "a kind that is a number": ("[[fault]]\nkind = 3", ["fault 1", "kind = 3"]),
    "negative time": (
        '[[fault]]\nkind = "chip-stops"\nat_us = -2.5\nchip = 0',
        ["fault 1", "at_us = -2.5", "greater than or equal to 0"],
    ),
    "endless time": (
        '[[fault]]\nkind = "chip-stops"\nat_us = inf\nchip = 0',
        ["fault 1", "at_us = inf", "finite"],
    ),
    "the second of two": (
        '[[fault]]\nkind = "chip-stops"\nat_us = 1\nchip = 0\n'
        '[[fault]]\nkind = "chip-stops"\nat_us = 1\nchip = -1',
        ["fault 2", "chip = -1", "greater than or equal to 0"],
    ),
    "an end before the begin": (
        '[[fault]]\nkind = "link-ber"\nat_us = 5\nuntil_us = 4\nlink = 0\nber = 0.1',
        ["fault 1", "until_us 4 must be after at_us 5"],
    ),
    "negative bit error rate": (
        '[[fault]]\nkind = "link-ber"\nat_us = 5\nuntil_us = 9\nlink = 0\nber = -0.1',
        ["fault 1", "ber = -0.1", "greater than or equal to 0"],
    ),
    "more wrong bits than right ones": (
        '[[fault]]\nkind = "link-ber"\nat_us = 5\nuntil_us = 9\nlink = 0\nber = 0.7',
        ["fault 1", "ber = 0.7", "less than 0.5"],
    ),
    "unknown key": (
        '[[fault]]\nkind = "link-dies"\nat_us = 5\nlnk = 0',
        ["fault 1", "no key 'lnk'", "did you mean 'link'?"],
    ),
    "missing key": (
        '[[fault]]\nkind = "link-dies"\nat_us = 5',
        ["fault 1", "key 'link' is missing"],
    ),
    "a word for a number": (
        '[[fault]]\nkind = "link-dies"\nat_us = "soon"\nlink = 1',
        ["fault 1", "at_us = 'soon'", "number"],
    ),
    "another table": ("[[faults]]\nat_us = 5", ["no key 'faults'", "write [[fault]]"]),
    "one table instead of several": (
        '[fault]\nkind = "link-dies"',
        ["'fault' must be tables", "write [[fault]]"],
    ),
    "a number for the tables": ("fault = 3", ["'fault' must be tables"]),
    "numbers for the tables": ("fault = [1, 2]", ["'fault' must be tables"]),
    "no TOML": ("fault: 3", ["not valid TOML", "line 1"]),
}


@pytest.mark.parametrize(("content", "told"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_meant_is_refused_with_file_number_and_way_out(
    tmp_path: Path, content: str, told: list[str]
) -> None:
    path = tmp_path / "faults.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SpecError) as refused:
        load_faults(path)
    message = str(refused.value)
    assert [words for words in [str(path), *told] if words not in message] == [], (
        message
    )
    assert "\n" not in message


def test_a_missing_file_is_refused_with_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="looked in"):
        load_faults(tmp_path / "faults.toml")


def test_a_script_is_read_in_its_order(tmp_path: Path) -> None:
    path = tmp_path / "faults.toml"
    path.write_text(
        '[[fault]]\nkind = "chip-stops"\nat_us = 7\nchip = 3\n'
        '[[fault]]\nkind = "link-ber"\nat_us = 0\nuntil_us = 2.5\nlink = 4\n'
        "ber = 1e-3\n"
        '[[fault]]\nkind = "link-dies"\nat_us = 1.25\nlink = 9\n',
        encoding="utf-8",
    )
    assert load_faults(path) == (
        ChipStops(at_us=7, chip=3),
        LinkErrorRate(at_us=0, until_us=2.5, link=4, ber=1e-3),
        LinkDies(at_us=1.25, link=9),
    )


def test_an_empty_script_breaks_nothing(tmp_path: Path) -> None:
    path = tmp_path / "faults.toml"
    path.write_text("", encoding="utf-8")
    assert load_faults(path) == ()

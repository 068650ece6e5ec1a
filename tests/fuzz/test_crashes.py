"""Results of killed commands: whole or not there, and in the end those of any run."""

import random

import pytest

from tests.fuzz import crashes
from tests.fuzz.crashes import Command, campaign, damage

WRITES = """
import pathlib, sys, time
out = pathlib.Path(sys.argv[-1])
out.mkdir(exist_ok=True)
{how}
time.sleep(0.3)
"""
WHOLE = """
time.sleep(0.3)
(out / ".draft").write_bytes(b"x" * 99)
(out / ".draft").replace(out / "table.csv")
"""
HALF = """
with (out / "table.csv").open("wb") as file:
    file.write(b"x")
    file.flush()
    time.sleep(0.3)
    file.write(b"x" * 98)
"""
KEPT = """
with (out / "table.csv").open("ab") as file:
    file.write(b"x")
"""


@pytest.mark.parametrize(
    ("how", "told"),
    [
        (WHOLE, set()),
        (HALF, {"it: table.csv is half-written"}),
        (
            KEPT,
            {
                "it: table.csv is half-written",
                "it: table.csv differs from that of a run left alone",
            },
        ),
    ],
    ids=["whole", "half", "kept"],
)
def test_a_file_written_in_place_is_told(
    how: str, told: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crashes, "_START", WRITES.format(how=how))
    found = campaign(Command("it", (), "table.csv"), 4, random.Random(2))
    assert set(found) == told


def test_only_files_that_are_there_can_be_damaged() -> None:
    assert damage({"a": b"1", "b": b"2"}, {"a": b"1"}) == []
    assert damage({"a": b"1", "b": b"2"}, {"b": b""}) == ["b"]

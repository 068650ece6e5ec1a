"""Results of killed commands: whole or not there, and in the end those of any run."""

import time
from pathlib import Path

import pytest

from tests.fuzz import crashes
from tests.fuzz.crashes import Command, damage, files_in, finished, kill_after, started

IT = Command("it", (), "table.csv")
WHOLE = {"table.csv": b"x" * 99}
# Each writes a table into the folder that is the last argument.
BEGIN = "import pathlib, sys, time; out = pathlib.Path(sys.argv[-1]); out.mkdir()\n"
ATOMIC = "(out / '.d').write_bytes(b'x' * 99); (out / '.d').replace(out / 'table.csv')"
IN_PLACE = "(out / 'table.csv').write_bytes(b'x'); time.sleep(60)"
SLOW_DRAFT = "(out / '.d').write_bytes(b'x'); time.sleep(60)"


def killed(how: str, out: Path, seen: str, patch: pytest.MonkeyPatch) -> list[str]:
    """Return what is damaged after a command is killed once a file is there."""
    patch.setattr(crashes, "_START", BEGIN + how)
    process = started(IT, out.parent, out)
    while not (out / seen).exists() or not (out / seen).stat().st_size:
        assert process.poll() is None
        time.sleep(0.01)
    assert kill_after(process, 0.0)
    return damage(WHOLE, files_in(out))


def test_a_result_written_in_place_is_half_written_when_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert killed(IN_PLACE, tmp_path / "a", "table.csv", monkeypatch) == ["table.csv"]
    assert killed(SLOW_DRAFT, tmp_path / "b", ".d", monkeypatch) == []


def test_a_command_left_alone_leaves_its_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crashes, "_START", BEGIN + ATOMIC)
    found, took_s = finished(IT, tmp_path, tmp_path / "out")
    assert (found, took_s > 0) == (WHOLE, True)
    monkeypatch.setattr(crashes, "_START", BEGIN + "sys.exit(3)")
    with pytest.raises(RuntimeError, match="it ends with exit code 3"):
        finished(IT, tmp_path, tmp_path / "other")


def test_only_files_that_are_there_can_be_damaged() -> None:
    assert damage({"a": b"1", "b": b"2"}, {"a": b"1"}) == []
    assert damage({"a": b"1", "b": b"2"}, {"b": b""}) == ["b"]

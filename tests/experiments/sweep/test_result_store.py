import json
import sqlite3
from pathlib import Path

import pytest

from experiments.sweep.result_store import Outcome, ResultStore
from specs.errors import OutputError


def outcome(number: int) -> str:
    return json.dumps({"feasible": True, "reason": "", "numbers": {"n": number}})


def keys(path: Path) -> list[str]:
    with ResultStore(path) as ledger:
        return sorted(ledger.outcomes(map(str, range(10_000))))


def test_what_is_entered_is_there_when_the_ledger_is_opened_again(
    tmp_path: Path,
) -> None:
    path = tmp_path / "ledger.sqlite"
    with ResultStore(path) as ledger:
        ledger.record("1", "{}", outcome(1))
        ledger.record("2", "{}", outcome(2))
    with ResultStore(path) as ledger:
        assert ledger.outcomes(["1", "3"]) == {"1": Outcome(True, "", {"n": 1})}


def test_a_key_that_is_there_is_not_counted_or_changed_again(tmp_path: Path) -> None:
    with ResultStore(tmp_path / "ledger.sqlite") as ledger:
        ledger.record("1", "{}", outcome(1))
        ledger.record("1", "{}", outcome(2))
        assert ledger.outcomes(["1"]) == {"1": Outcome(True, "", {"n": 1})}


def test_others_may_read_while_a_sweep_writes(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with ResultStore(path) as ledger:
        ledger.record("1", "{}", outcome(1))
        reader = sqlite3.connect(path)
        assert reader.execute("SELECT count(*) FROM outcomes").fetchone() == (1,)
        reader.close()
        ledger.record("2", "{}", outcome(2))
    assert keys(path) == ["1", "2"]


def test_a_second_sweep_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with (
        ResultStore(path),
        pytest.raises(OutputError, match="another sweep is writing"),
    ):
        ResultStore(path)
    assert keys(path) == []


def test_a_full_disk_ends_the_sweep_and_harms_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with ResultStore(path) as ledger:
        # SQLite's own way to run out of room, with the error of a disk that has none.
        ledger._database.execute("PRAGMA max_page_count = 8")
        number = 0
        with pytest.raises(OutputError, match=r"is full; what it holds.*make room"):  # noqa: PT012
            while True:
                ledger.record(str(number), "{}" * 100, outcome(number))
                number += 1
    assert number > 10
    assert keys(path) == sorted(map(str, range(number)))
    with ResultStore(path) as ledger:
        ledger.record(str(number), "{}", outcome(number))
    assert len(keys(path)) == number + 1


@pytest.mark.parametrize("text", ["[1, 2", "[1]", outcome(3), ""])
def test_an_outcome_that_is_damaged_is_computed_again(
    tmp_path: Path, text: str
) -> None:
    path = tmp_path / "ledger.sqlite"
    with ResultStore(path) as ledger:
        ledger.record("1", "{}", outcome(1))
        ledger.record("2", "{}", outcome(2))
    by_hand = sqlite3.connect(path)
    by_hand.execute("UPDATE outcomes SET outcome = ? WHERE key = '2'", (text,))
    by_hand.commit()
    by_hand.close()
    whole = {"1": Outcome(True, "", {"n": 1})}
    with ResultStore(path) as ledger:
        assert ledger.outcomes(["1", "2"]) == whole
        ledger.record("2", "{}", outcome(2))
        assert ledger.outcomes(["1", "2"]) == {
            **whole,
            "2": Outcome(True, "", {"n": 2}),
        }


def test_a_ledger_whose_pages_are_damaged_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with ResultStore(path) as ledger:
        for number in range(100):
            ledger.record(str(number), "{}", outcome(number))
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    with pytest.raises(OutputError, match=r"is damaged.*; choose another --out"):
        keys(path)


@pytest.mark.parametrize("kind", ["text", "another program's database"])
def test_a_file_that_is_no_ledger_is_refused_and_left_alone(
    tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "ledger.sqlite"
    if kind == "text":
        path.write_text("mine, and longer than the header of a database" * 10)
    else:
        database = sqlite3.connect(path)
        database.execute("CREATE TABLE outcomes (mine)")
        database.close()
    before = path.read_bytes()
    with pytest.raises(OutputError, match=r"ledger\.sqlite.*choose another --out"):
        ResultStore(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot open .*gone"):
        ResultStore(tmp_path / "gone" / "ledger.sqlite")

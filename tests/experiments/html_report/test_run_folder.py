import json
import shutil
from pathlib import Path

import pytest

from experiments.html_report.run_folder import RunFolder, read_run_folder
from specs.errors import SpecError


def test_a_folder_holds_the_summary_and_the_tables_of_its_run(
    simulated: RunFolder, served: RunFolder, small_folder: Path
) -> None:
    assert (simulated.kind, simulated.name) == ("simulation", "out")
    assert simulated.summary == json.loads((small_folder / "summary.json").read_text())
    assert len(simulated.tables["chips"]) == 72
    assert (served.kind, list(served.tables)) == ("service", ["requests"])
    assert len(served.tables["requests"]) == 40


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("summary.json", None, "has no summary.json; name a folder that groqrack"),
        ("summary.json", "{", "cannot be read: .*; name a folder"),
        ("summary.json", "[]", "holds no JSON object"),
        ("summary.json", '{"schema": ["x"]}', r"schema \['x'\] is of no run"),
        ("chips.csv", None, r"there is no .*chips\.csv; an earlier version wrote"),
        ("chips.csv", "chip\n1\n", r"chips\.csv has no column rack; run it again"),
        ("timeline.csv", "", r"timeline\.csv cannot be read: No columns"),
    ],
)
def test_a_folder_that_no_run_wrote_is_refused(
    small_folder: Path, tmp_path: Path, name: str, content: str | None, message: str
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(small_folder, folder)
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(content)
    with pytest.raises(SpecError, match=message):
        read_run_folder(folder)


def test_a_word_in_place_of_a_number_is_refused(
    small_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(small_folder, folder)
    path = folder / "stages.csv"
    first, *rows = path.read_text().splitlines()
    path.write_text("\n".join([first, "x" + rows[0][1:], *rows[1:]]) + "\n")
    with pytest.raises(SpecError, match="column replica holds a word where a number"):
        read_run_folder(folder)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="nowhere is no folder; name a folder that"):
        read_run_folder(tmp_path / "nowhere")

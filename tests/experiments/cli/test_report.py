import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd

Groqrack = Callable[..., "subprocess.CompletedProcess[str]"]


def test_a_report_of_a_run_is_one_small_file(
    groqrack: Groqrack, small_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "deep" / "report.html"
    done = groqrack("report", small_folder, small_folder, "--out", out)
    assert (done.returncode, done.stderr) == (0, "")
    size = out.stat().st_size
    assert size < 1_000_000
    said = f"report in {out}: {size / 1e6:.2f} MB, opens in any browser\n"
    assert done.stdout == said
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert [path.name for path in out.parent.iterdir()] == ["report.html"]


def test_a_folder_without_a_run_leaves_no_report(
    groqrack: Groqrack, tmp_path: Path
) -> None:
    done = groqrack("report", tmp_path, "--out", tmp_path / "report.html")
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {tmp_path} has no summary.json; name a")
    assert not list(tmp_path.iterdir())


def test_the_largest_machine_makes_a_page_below_five_megabytes(
    groqrack: Groqrack, small_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "large"
    folder.mkdir()
    for path in small_folder.glob("*.csv"):
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "summary.json").write_bytes((small_folder / "summary.json").read_bytes())
    for name, rows in (("chips", 10_440), ("links", 114_840)):
        table = pd.read_csv(folder / f"{name}.csv")
        many = table.sample(rows, replace=True, random_state=1, ignore_index=True)
        key = name.removesuffix("s")
        # Numbers that repeat would take less room than those of a real machine.
        more = {key: range(rows), "busy_cycles": range(rows)}
        if name == "links":
            more = {key: range(rows), "vectors": range(1, rows + 1)}
        many.assign(**more).to_csv(folder / f"{name}.csv", index=False)
    out = tmp_path / "report.html"
    assert groqrack("report", folder, "--out", out).returncode == 0
    assert out.stat().st_size < 5_000_000

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Groqrack = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def written(groqrack: Groqrack, tiny_config: Path, tmp_path: Path) -> Path:
    path = tmp_path / "plan.csv"
    asked = ["--model", tiny_config, "--chips", "12", "--strategy", "tensor=4"]
    assert groqrack("plan", *asked, "--out", path).returncode == 0
    return path


def test_a_written_plan_runs_as_the_strategy_it_was_written_from(
    groqrack: Groqrack, tiny_config: Path, written: Path
) -> None:
    options = ["--model", tiny_config, "--chips", "12", "--tokens", "1", "--json"]
    named = groqrack("simulate", *options, "--strategy", "tensor=4")
    read = groqrack("simulate", *options, "--strategy", written)
    expected, got = json.loads(named.stdout), json.loads(read.stdout)
    assert got["run"]["trajectory_hash"] == expected["run"]["trajectory_hash"]
    assert got["plan"] == expected["plan"]


def test_replicas_are_written_and_read_and_serve_as_many_times_the_tokens(
    groqrack: Groqrack, tiny_config: Path, tmp_path: Path
) -> None:
    path = tmp_path / "plan.csv"
    options = ["--model", tiny_config, "--chips", "16", "--topology", "rack", "--json"]
    split = "tensor=4,pipeline=2,data=2"
    written = groqrack("plan", *options, "--strategy", split, "--out", path)
    assert written.returncode == 0
    named, read = (
        json.loads(groqrack("simulate", *options, "--strategy", strategy).stdout)
        for strategy in (split, path)
    )
    assert read["run"]["trajectory_hash"] == named["run"]["trajectory_hash"]
    assert read["plan"] == named["plan"]
    assert (named["plan"]["data"], named["plan"]["chips_used"]) == (2, 16)
    rates = named["token"]
    assert rates["tokens_per_s_pipeline"] == 2 * rates["tokens_per_s_per_user"]


def test_a_plan_on_other_chips_is_simulated_there(
    groqrack: Groqrack, tiny_config: Path, written: Path
) -> None:
    header, *rows = written.read_text(encoding="utf-8").splitlines()
    # The last group moves to the end of the second node.
    moved = [
        ",".join([str(int(chip) + 4), rest]) if int(chip) >= 8 else row
        for row in rows
        for chip, _, rest in [row.partition(",")]
    ]
    written.write_text("\n".join([header, *moved]) + "\n", encoding="utf-8")
    options = ["--model", tiny_config, "--chips", "16", "--strategy", written, "--json"]
    planned = json.loads(groqrack("plan", *options).stdout)
    assert [stage["first_chip"] for stage in planned["stages"]] == [0, 4, 12]
    assert groqrack("simulate", *options, "--tokens", "1").returncode == 0


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (("chip,", "chop,"), "no column 'chip'"),
        (("\n0,", "\nzero,"), "row 2: chip is 'zero'"),
        (("\n0,", "\n5000,"), "row 2: chip 5000"),
    ],
)
def test_a_damaged_file_is_refused_with_its_row(
    groqrack: Groqrack,
    tiny_config: Path,
    written: Path,
    damage: tuple[str, str],
    named: str,
) -> None:
    text = written.read_text(encoding="utf-8")
    written.write_text(text.replace(*damage, 1), encoding="utf-8")
    refused = groqrack("plan", "--model", tiny_config, "--strategy", written)
    assert refused.returncode == 2
    assert named in refused.stderr
    assert "plan.csv" in refused.stderr


def test_a_plan_that_is_not_there_is_refused(groqrack: Groqrack) -> None:
    refused = groqrack("plan", "--strategy", "nowhere.csv")
    assert refused.returncode == 2
    assert "nowhere.csv: no plan can be read" in refused.stderr

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from experiments.run.plan_csv import read_plan
from experiments.run.preparation import plan_scenario
from specs.scenario import Scenario

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
        (("\n0,", "\n1e0,"), "row 2: chip is '1e0'"),
        (("\n0,", "\n\u0663,"), "row 2: chip is '\u0663'"),
        (("\n0,", "\n\n\n0.5,"), "row 4: chip is '0.5'"),
        (("\n0,0,0,", "\n0,0,"), "row 2: layer is 'model.embed_tokens.weight'"),
        (("\n0,", "\n0,0,"), "row 2: has 11 cells under 10 headings"),
        (("\n0,", '\n"0,'), "row 2: unexpected end of data"),
        (("chip,replica", "chip,chip"), "column 'chip' is there twice"),
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


def _as_a_spreadsheet_saves(text: str) -> str:
    header, *rows = text.splitlines()
    cells = [",".join(f' "{cell}" '.strip() for cell in r.split(",")) for r in rows]
    return "\ufeff" + "\r\n".join([header, *cells, "", ",,,,,,,,,"]) + "\r\n"


def _as_a_table_of_fractions(text: str) -> str:
    header, *rows = text.splitlines()
    return "\n".join([f"{header} ,note", *(f" {r}.0 ,mine" for r in rows)])


def _sorted_by_tensor(text: str) -> str:
    header, *rows = text.splitlines()
    return "\n".join([header, *sorted(rows, key=lambda r: r.split(",")[4])])


def _upside_down(text: str) -> str:
    header, *rows = text.splitlines()
    return "\n".join([header, *rows[::-1]])


@pytest.mark.parametrize(
    "resave",
    [
        _as_a_spreadsheet_saves,
        _as_a_table_of_fractions,
        _sorted_by_tensor,
        _upside_down,
    ],
)
def test_what_programs_do_to_a_table_does_it_no_harm(
    groqrack: Groqrack, tiny_config: Path, written: Path, resave: Callable[[str], str]
) -> None:
    options = ["--model", tiny_config, "--chips", "12", "--strategy", written, "--json"]
    before = groqrack("plan", *options)
    text = written.read_text(encoding="utf-8")
    written.write_text(resave(text), encoding="utf-8", newline="")
    assert resave(text) != text
    after = groqrack("plan", *options)
    assert (after.returncode, after.stderr) == (0, "")
    assert json.loads(after.stdout)["stages"] == json.loads(before.stdout)["stages"]


@pytest.mark.parametrize("model", ["bert-base", "gpt2", "phi-3-mini", "mixtral-8x7b"])
def test_a_plan_of_any_family_is_read_as_it_was_written(
    groqrack: Groqrack, tmp_path: Path, model: str
) -> None:
    path = tmp_path / "plan.csv"
    split = "tensor=8,pipeline=2"
    if model == "mixtral-8x7b":
        split += ",expert=4,routing=balanced"
    small = ["--set", "model.layers=2", "--context", "64"]
    options = ["--model", model, "--chips", "16", *small]
    named = groqrack("verify", *options, "--strategy", split, "--json")
    planned = groqrack("plan", *options, "--strategy", split, "--out", path)
    assert (named.returncode, planned.returncode) == (0, 0)
    # The schedule that is proven is the same, to the cycle.
    read = groqrack("verify", *options, "--strategy", path, "--json")
    assert read.stdout == named.stdout


def test_a_plan_that_is_not_there_is_refused(groqrack: Groqrack) -> None:
    refused = groqrack("plan", "--strategy", "nowhere.csv")
    assert refused.returncode == 2
    assert "no plan can be read: no file nowhere.csv" in refused.stderr


def test_a_plan_file_is_read_on_the_chips_that_it_names(
    tiny_config: Path, written: Path
) -> None:
    planned = plan_scenario(
        Scenario(model=str(tiny_config), chips=12, strategy="tensor=4")
    )
    chips = planned.topology.active.astype(np.int64)
    read = read_plan(written, planned.plan.task, chips, sequences=1)
    assert str(read.strategy) == str(planned.plan.strategy)
    for one, other in zip(read.stages, planned.plan.stages, strict=True):
        assert one.chips.tolist() == other.chips.tolist()


def test_a_plan_file_gives_a_model_no_more_positions(
    groqrack: Groqrack, tmp_path: Path
) -> None:
    path = tmp_path / "plan.csv"
    options = ["--model", "gpt2", "--chips", "2"]
    groqrack("plan", *options, "--strategy", "tensor=2", "--context", 8, "--out", path)
    for command in ("plan", "verify"):
        done = groqrack(command, *options, "--strategy", path, "--context", "1025")
        assert done.returncode == 2
        assert "context 1025 is beyond them; use --context 1024" in done.stderr

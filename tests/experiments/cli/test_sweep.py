import csv
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.cli.scenario_options import ScenarioOptions
from experiments.cli.sweep import simulate_each
from experiments.sweep import executors

Groqrack = Callable[..., subprocess.CompletedProcess[str]]
Start = Callable[..., "subprocess.Popen[str]"]

POINTS = 30
ROOT = Path(__file__).parents[3]
COMMAND = "from experiments.cli.app import main; main()"


def written(path: Path, config: Path, seeds: int) -> Path:
    path.write_text(
        f"model = '{config}'\nchips = 8\ncontext = 16\ntokens = 1\n"
        "engine = 'replay'\n[sweep]\nstrategy = ['tensor=4', 'tensor=16']\n"
        f"seed = {{ range = [0, {seeds}] }}\n"
    )
    return path


@pytest.fixture
def sweep_toml(tiny_config: Path, tmp_path: Path) -> Path:
    return written(tmp_path / "mine.toml", tiny_config, POINTS // 2)


def entered(folder: Path) -> int:
    try:
        database = sqlite3.connect(f"file:{folder}/ledger.sqlite?mode=ro", uri=True)
        try:
            (count,) = database.execute("SELECT count(*) FROM outcomes").fetchone()
        finally:
            database.close()
    except sqlite3.Error:
        return 0
    assert isinstance(count, int)
    return count


def wait_for(process: "subprocess.Popen[str]", folder: Path, points: int) -> None:
    until_s = time.monotonic() + 60
    while entered(folder) < points:
        assert process.poll() is None
        assert time.monotonic() < until_s
        time.sleep(0.02)


@pytest.mark.slow
def test_a_sweep_stopped_by_signals_ends_as_one_left_alone(
    groqrack: Groqrack,
    start: Start,
    sweep_toml: Path,
    tiny_config: Path,
    tmp_path: Path,
) -> None:
    alone, killed = tmp_path / "alone", tmp_path / "killed"
    done = groqrack("sweep", sweep_toml, "--out", alone, "--jobs", "1")
    assert (done.returncode, entered(alone)) == (0, POINTS)
    # The same points and so many more that none of these comes to its end.
    longer = written(tmp_path / "longer.toml", tiny_config, 1000)
    before = 0
    # What SIGKILL does is told below.
    for signal_number, jobs in ((signal.SIGINT, 1), (signal.SIGTERM, 2)):
        process = start("sweep", longer, "--out", killed, "--jobs", str(jobs))
        wait_for(process, killed, before + 1)
        process.send_signal(signal_number)
        # This ends only when every process of the sweep has, since all hold the pipe.
        _, told = process.communicate(timeout=60)
        assert entered(killed) > before
        before = entered(killed)
        assert not (killed / "results.csv").exists()
        assert process.returncode == 128 + signal_number
        assert "finished points are kept in" in told
        assert "Traceback" not in told
    done = groqrack("sweep", sweep_toml, "--out", killed, "--jobs", "1")
    there = re.match(rf"sweep: (\d+) of {POINTS} points were there", done.stderr)
    assert there is not None
    assert entered(killed) == before + POINTS - int(there[1])
    first, second = alone / "results.csv", killed / "results.csv"
    assert first.read_bytes() == second.read_bytes()
    with second.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["strategy"], row["seed"]) for row in rows] == [
        (strategy, str(seed))
        for strategy in ("tensor=4", "tensor=16")
        for seed in range(POINTS // 2)
    ]
    assert [row["feasible"] for row in rows] == ["True"] * 15 + ["False"] * 15
    assert len({row["run.trajectory_hash"] for row in rows[:15]}) == 15
    assert all("16 chips but 8 are there" in row["reason"] for row in rows[15:])


@pytest.mark.slow
def test_a_thousand_points_killed_three_times_end_as_if_left_alone(
    groqrack: Groqrack, tiny_config: Path, tmp_path: Path
) -> None:
    path = tmp_path / "thousand.toml"
    # Of twenty widths one fits: refusals are results, and take no time.
    path.write_text(
        f"model = '{tiny_config}'\nchips = 8\ncontext = 16\ntokens = 1\n"
        "engine = 'replay'\n[sweep]\nseed = { range = [0, 50] }\n"
        "strategy.tensor = { range = [8, 28] }\n"
    )
    alone, killed = tmp_path / "alone", tmp_path / "killed"
    words = ["sweep", path, "--jobs", "2", "--out"]
    assert groqrack("sweep", path, "--jobs", "1", "--out", alone).returncode == 0
    before = 0
    for points, everyone in ((1, 0), (160, 1), (320, 1)):
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, *map(str, [*words, killed])],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            start_new_session=True,
        )
        wait_for(process, killed, max(points, before + 1))
        kill = os.killpg if everyone else os.kill
        kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
        before = entered(killed)
        assert points <= before < 1000
    assert groqrack(*words, killed).returncode == 0
    assert (entered(alone), entered(killed)) == (1000, 1000)
    first, second = alone / "results.csv", killed / "results.csv"
    assert first.read_bytes() == second.read_bytes()
    with second.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({(row["seed"], row["strategy.tensor"]) for row in rows}) == 1000
    assert sum(row["feasible"] == "True" for row in rows) == 50


def test_numbers_are_whole_in_the_table_of_a_narrow_terminal(
    groqrack: Groqrack, tiny_config: Path
) -> None:
    options = ["--model", tiny_config, "--chips", "8", "--engine", "replay"]
    done = groqrack(
        "simulate",
        *options,
        "--set=strategy.layout=1d,2d",
        "--set=strategy.tensor=8,16",
        "--set=strategy.attention=0,4",
        "--set=link.forward_cycles=217,300",
    )
    assert done.returncode == 0
    table = done.stdout.partition("\n\n")[0]
    assert "…" not in table
    assert max(map(len, table.splitlines())) <= 80
    assert all(heading in table for heading in ("token ns", "tokens/s", "replays"))


def test_several_values_of_a_setting_are_a_sweep_of_their_own(
    groqrack: Groqrack, tiny_config: Path, tmp_path: Path
) -> None:
    options = ["--model", tiny_config, "--chips", "8", "--engine", "replay"]
    out = tmp_path / "out"
    setting = "--set=link.forward_cycles=217,300"
    done = groqrack("simulate", *options, setting, "--json", "--out", out)
    rows = json.loads(done.stdout)
    assert [row["link.forward_cycles"] for row in rows] == [217, 300]
    for row in rows:
        one = f"--set=link.forward_cycles={row['link.forward_cycles']}"
        facts = json.loads(groqrack("simulate", *options, one, "--json").stdout)
        assert row["run.trajectory_hash"] == facts["run"]["trajectory_hash"]
        assert row["schedule.certificate"] == facts["schedule"]["certificate"]
    assert {path.name for path in out.iterdir()} == {"results.csv", "ledger.sqlite"}
    # All is there already, so the table costs no run.
    done = groqrack("simulate", *options, setting, "--out", out)
    assert "2 of 2 points were there already" in done.stderr
    assert "link.forward_cycles" in done.stdout
    assert f"wrote {out / 'results.csv'}" in " ".join(done.stdout.split("\n"))


REFUSED: dict[str, tuple[list[str], list[str]]] = {
    "an unknown setting": (
        ["--set=link.bre=1e-9,1e-6"],
        ["'link.bre'", "did you mean 'link.ber'?"],
    ),
    "one setting twice": (
        ["--set=link.ber=1e-9,1e-6", "--set=link.ber=0"],
        ["link.ber is given twice"],
    ),
    "an empty value": (["--set=link.ber=1e-9,"], ["link.ber cannot be ''"]),
    "a value that cannot be meant": (
        ["--set=tokens=1,0"],
        ["point tokens=0", "greater than or equal to 1"],
    ),
    "a strategy of several words": (
        ["--set=strategy=tensor=4,pipeline=2"],
        [
            "is one strategy; write --strategy tensor=4,pipeline=2",
            "strategy.tensor=4,8",
        ],
    ),
    "a scenario key among the settings": (
        ["--set=seed=1", "--set=tokens=1,2"],
        ["'seed'"],
    ),
}


@pytest.mark.parametrize(("options", "told"), REFUSED.values(), ids=REFUSED)
def test_settings_that_cannot_be_swept_are_refused_in_one_line(
    groqrack: Groqrack, options: list[str], told: list[str]
) -> None:
    done = groqrack("simulate", *options)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert [words for words in told if words not in done.stderr] == []


@pytest.mark.parametrize("command", ["plan", "verify"])
def test_commands_that_run_one_scenario_take_one_value(
    groqrack: Groqrack, command: str
) -> None:
    done = groqrack(command, "--set=link.ber=1e-9,1e-6")
    assert (done.returncode, done.stdout) == (2, "")
    assert "one value at a time here, as in link.ber=1e-9;" in done.stderr


@pytest.mark.parametrize(
    "executor", ["dask", "dask:", "ray", "dask:tcp://127.0.0.1:9"], ids=str
)
def test_an_executor_that_is_not_there_is_refused(
    groqrack: Groqrack,
    sweep_toml: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    executor: str,
) -> None:
    monkeypatch.setattr(executors, "_ANSWER_S", 0.5)
    if executor.endswith(":9"):
        pytest.importorskip("distributed", reason="Dask is not installed")
    done = groqrack(
        "sweep", sweep_toml, "--out", tmp_path / "out", "--executor", executor
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "dask" in done.stderr


def test_a_folder_that_cannot_be_written_is_refused_before_the_first_point(
    groqrack: Groqrack, sweep_toml: Path, tmp_path: Path
) -> None:
    taken = tmp_path / "taken"
    taken.write_text("mine")
    done = groqrack("sweep", sweep_toml, "--out", taken)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "choose another --out" in done.stderr
    assert taken.read_text() == "mine"


def test_a_disk_that_takes_no_more_ends_the_sweep_and_keeps_what_there_is(
    sweep_toml: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    limited = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (40960, 40960)); "
        "from experiments.cli.app import main; main()"
    )
    words = ["sweep", sweep_toml, "--out", out, "--jobs", "1"]
    done = subprocess.run(
        [sys.executable, "-B", "-c", limited, *map(str, words)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: cannot use the ledger")
    assert "make room and run the same again" in done.stderr
    assert "Traceback" not in done.stderr
    assert 0 < entered(out) < POINTS
    assert not (out / "results.csv").exists()


def test_settings_of_one_value_are_no_sweep() -> None:
    options = ScenarioOptions(settings=["link.ber=0"])
    assert not simulate_each(options, None, as_json=True)


def test_shards_that_are_merged_have_the_bytes_of_one_sweep(
    groqrack: Groqrack, tiny_config: Path, tmp_path: Path
) -> None:
    sweep = written(tmp_path / "seeds.toml", tiny_config, 3)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert groqrack("sweep", sweep, "--out", whole, "--jobs", "1").returncode == 0
    for shard in ("1/2", "2/2"):
        done = groqrack("sweep", sweep, "--out", parts, "--shard", shard, "--jobs", "1")
        assert done.returncode == 0, done.stderr
    done = groqrack("sweep", sweep, "--out", parts, "--merge", "--jobs", "1")
    assert done.returncode == 0, done.stderr
    name = "results.csv"
    assert (parts / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--shard", "1/2", "--merge"], "give it without --shard"),
        (["--shard", "1/9"], "4 points, fewer than shards"),
        (["--point-limit", "9", "--executor", "dask:tcp://x:1"], "--executor local"),
        (["--merge"], "run the shards first"),
    ],
)
def test_shards_and_limits_that_cannot_be_are_refused(
    groqrack: Groqrack, tiny_config: Path, tmp_path: Path, options: list[str], why: str
) -> None:
    sweep = written(tmp_path / "seeds.toml", tiny_config, 2)
    done = groqrack("sweep", sweep, "--out", tmp_path / "out", *options)
    assert done.returncode == 2
    assert why in done.stderr

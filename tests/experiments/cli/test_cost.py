import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pandas as pd
import pytest

from experiments.cost.cost_report import NOT_COMPUTED

Groqrack = Callable[..., CompletedProcess[str]]
TOML = """
model = "gpt2"
chips = 8
strategy = "tensor=2,pipeline=4"
context = 64
settings = { "model.layers" = 4 }
frame = { slots = 4, windows = 2, chunk_tokens = 8 }
[traffic]
rate_per_s = 1000
requests = 60
prompt = { tokens = 12 }
output = { tokens = 5 }
"""
SCENARIO = """
model = "gpt2"
chips = 2
strategy = "tensor=1,pipeline=2"
context = 64
[settings]
"model.layers" = 2
"""


def test_the_command_shows_no_price_at_the_top_and_keeps_to_80_columns(
    groqrack: Groqrack, tmp_path: Path
) -> None:
    path = tmp_path / "traffic.toml"
    path.write_text(TOML, encoding="utf-8")
    ended = groqrack("cost", "--traffic", path)
    assert ended.returncode == 0
    lines = ended.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert "$" not in "".join(lines[:12])
    assert NOT_COMPUTED in ended.stdout
    assert "hardware.groqrack.host_usd" in ended.stdout.replace("\n", " ")


def test_the_command_sweeps_loads_and_prices(
    groqrack: Groqrack, tmp_path: Path
) -> None:
    path, out = tmp_path / "traffic.toml", tmp_path / "out"
    path.write_text(TOML, encoding="utf-8")
    ended = groqrack(
        *("cost", "--traffic", path, "--out", out),
        *("--set", "cost.hardware.groqrack.device_usd=1000,2000"),
        *("--set", "traffic.rate_per_s=500,1000"),
    )
    assert ended.returncode == 0
    table = pd.read_csv(out / "results.csv")
    assert len(table) == 4
    assert table["feasible"].all()
    dear = table["cost.hardware.groqrack.device_usd"] == 2000
    devices = table["usd_per_hour.devices_low"]
    assert devices[dear].to_numpy() == pytest.approx(2 * devices[~dear].to_numpy())
    assert table["all_parts.usd_per_hour_low"].isna().all()
    slow = table["traffic.rate_per_s"] == 500
    joules = table["output_token_j_low"]
    assert (joules[slow].to_numpy() > joules[~slow].to_numpy()).all()


def test_a_file_may_sweep_what_it_asks_and_what_it_costs(
    groqrack: Groqrack, tmp_path: Path
) -> None:
    path = tmp_path / "sweep.toml"
    axes = "[sweep]\ncost.facility.years = [2, 4]\nsequences = { range = [1, 3] }\n"
    path.write_text(SCENARIO + axes, encoding="utf-8")
    ended = groqrack("cost", path, "--json")
    rows = json.loads(ended.stdout)
    swept = [(row["sequences"], row["cost.facility.years"]) for row in rows]
    assert swept == [(1, 2), (1, 4), (2, 2), (2, 4)]
    first, second = (row["usd_per_hour.devices_low"] for row in rows[:2])
    assert first == pytest.approx(2 * second)
    path.write_text(TOML + "[sweep]\nreplicas = [1, 2]\n", encoding="utf-8")
    rows = json.loads(groqrack("cost", "--traffic", path, "--json").stdout)
    assert [row["load.chips"] for row in rows] == [8, 16]
    ended = groqrack("cost", "--traffic", path, "--set", "replicas=1,2")
    assert (ended.returncode, "the file sweeps it" in ended.stderr) == (2, True)
    path.write_text(SCENARIO + '[sweep]\nzip = [["seed"]]\n', encoding="utf-8")
    assert "no zip here" in groqrack("cost", path).stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--request-rate", "3"), "name a traffic file"),
        (("--set", "cost.facility.pues=1"), "did you mean"),
        (("--traffic", "none.toml"), "no --sequences"),
        (("--set", "strategy=tensor=1,pipeline=1"), "is one strategy"),
        (("--hardware", "lpxx"), "did you mean 'lpx'"),
        (("--workload", "lstm:64"), "No such option"),
        (("--model", "bert-base", "--context", "64"), "encoder"),
    ],
)
def test_what_cannot_be_costed_is_refused(
    groqrack: Groqrack, words: tuple[str, ...], message: str
) -> None:
    tiny = ("--model", "gpt2", "--set", "model.layers=1", "--context", "64")
    chips = ("--chips", "1", "--strategy", "tensor=1", "--sequences", "1")
    ended = groqrack("cost", *tiny, *chips, *words)
    assert ended.returncode == 2
    assert message in ended.stderr

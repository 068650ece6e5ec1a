import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from experiments.cli.workload import model_table, operators_table
from experiments.report.run_summary import summary
from experiments.run.scenario import run_scenario
from experiments.tables.columns import COLUMNS
from specs.machine import load_machine
from specs.model import load_model
from specs.model_formats import ModelFormats, WeightGroup
from specs.scenario import Scenario
from specs.weight_formats import parse_weight_format
from workloads.graphs.workload import load_workload
from workloads.model_graph import graph_of

Groqrack = Callable[..., subprocess.CompletedProcess[str]]
WORKLOAD = {
    "name",
    "operators",
    "tensors",
    "weight_bytes",
    "macs",
    "read_bytes",
    "written_bytes",
    "mxm_utilisation",
}


def test_a_workload_is_told_as_a_model_is_but_has_no_tokens(groqrack: Groqrack) -> None:
    done = groqrack("simulate", "--workload=mlp", "--chips=8", "--json")
    facts = json.loads(done.stdout)
    assert done.returncode == 0
    assert set(facts["workload"]) == WORKLOAD
    assert {"model", "token"}.isdisjoint(facts)
    assert facts["plan"]["column"] * facts["plan"]["row"] == 8
    assert facts["iteration"]["count"] == 8
    asked = {"model", "context", "sequences", "objective"}
    assert asked.isdisjoint(facts["inputs"])


def test_the_report_of_a_workload_fits_a_terminal(groqrack: Groqrack) -> None:
    done = groqrack("simulate", "--workload=lstm:1024", "--tokens=2")
    assert "per pass" in done.stdout
    assert "positions" not in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= 80


def test_a_workload_leaves_the_same_tables(groqrack: Groqrack, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ("--strategy=column=2,row=4", "--chips=8", "--tokens=2", "--batch=2")
    done = groqrack("simulate", "--workload=mlp", *options, "--out", out)
    assert done.returncode == 0, done.stderr
    for name in ("tokens", "links", "chips", "plan", "stages", "failovers"):
        table = pd.read_csv(out / f"{name}.csv")
        assert list(table.columns) == list(COLUMNS[name])
    plan = pd.read_csv(out / "plan.csv")
    up = plan[plan["tensor"] == "w_up"]
    assert up["bytes"].tolist() == 8 * [1024 * 4096 // 8]
    spent = pd.read_csv(out / "tokens.csv")
    assert (spent["context_tokens"] == 0).all()
    assert (out / "token.png").exists()


@pytest.mark.parametrize(
    ("workload", "strategy"),
    [("lstm:256", "auto"), ("mlp", "tensor=2,pipeline=3")],
)
def test_the_engines_agree_on_a_workload(workload: str, strategy: str) -> None:
    simpy = Scenario(workload=workload, chips=8, strategy=strategy, tokens=5, seed=3)
    same = simpy.model_copy(update={"engine": "replay"})
    facts, other = (summary(run_scenario(asked)) for asked in (simpy, same))
    assert facts["run"]["trajectory_hash"] == other["run"]["trajectory_hash"]
    assert facts["violations"] == {"underflow": 0, "overflow": 0, "link_conflict": 0}


def test_a_scenario_names_a_workload_in_a_file_beside_it(
    groqrack: Groqrack, tmp_path: Path
) -> None:
    (tmp_path / "mine.toml").write_text(
        """
        [[tensors]]
        name = "x"
        role = "input"
        rows = 4
        columns = 8
        [[tensors]]
        name = "y"
        role = "output"
        rows = 4
        columns = 8
        [[operators]]
        kind = "vector"
        name = "double"
        inputs = "x"
        outputs = "y"
        """,
        encoding="utf-8",
    )
    path = tmp_path / "scenario.toml"
    path.write_text('workload = "mine.toml"\ntokens = 3\n', encoding="utf-8")
    facts = json.loads(groqrack("simulate", path, "--json").stdout)
    # One pass of 32 elements on 320 lanes, and the fill of the vector unit.
    assert facts["schedule"]["latency_cycles"] == 70 + 1
    assert facts["iteration"]["count"] == 3


def test_a_workload_whose_node_goes_bad_moves_to_the_spare_one(
    groqrack: Groqrack, tmp_path: Path
) -> None:
    script = tmp_path / "faults.toml"
    script.write_text(
        '[[fault]]\nkind = "chip-stops"\nat_us = 5\nchip = 2\n', encoding="utf-8"
    )
    options = ("--chips=16", "--topology=rack", "--tokens=6", "--faults", script)
    facts = json.loads(
        groqrack("simulate", "--workload=mlp", *options, "--json").stdout
    )
    assert facts["faults"]["failovers"] == 1
    assert facts["iteration"]["count"] == 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--workload=gemm:1x2"], "write gemm:MxKxN"),
        (["--workload=nowhere.toml"], "no file nowhere.toml"),
        (["--workload=mlp", "--model=gpt2"], "model and workload are both given"),
        (["--workload=mlp", "--context=8"], "context is of a model"),
        (["--workload=mlp", "--sequences=2"], "sequences is of a model"),
        (["--workload=mlp", "--set=model.layers=2"], "a workload is no model"),
        (["--workload=mlp", "--strategy=expert=2"], "no key 'expert'"),
        (
            ["--workload=mlp", "--chips=8", "--strategy=tensor=1,pipeline=8"],
            "more stages than mlp has operators that may be apart: 3",
        ),
        (["--workload=mlp", "--strategy=plan.csv"], "not those of workloads; name"),
        (
            ["--workload=gemm:8x8x4", "--chips=8", "--strategy=column=8"],
            "b of gemm has 4 columns, which cannot be split into 8 parts; use column=4",
        ),
        (
            ["--workload=gemm:8000x8000x8000"],
            "lacks 155,410,432 bytes",
        ),
        (["--workload=gemm:8x8x4", "--chips=4", "--strategy=row=8"], "--chips 8"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    groqrack: Groqrack, options: list[str], message: str
) -> None:
    done = groqrack("simulate", *options)
    assert done.returncode == 2
    assert message in done.stderr


def test_commands_for_models_say_so(groqrack: Groqrack, tmp_path: Path) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text('workload = "mlp"\n', encoding="utf-8")
    done = groqrack("plan", path)
    assert done.returncode == 2
    assert "this command is for models; use groqrack simulate" in done.stderr
    proven = groqrack("verify", path)
    assert proven.returncode == 0
    assert "every weight is on exactly one chip" in proven.stdout


def test_a_sweep_takes_workloads(groqrack: Groqrack, tmp_path: Path) -> None:
    path = tmp_path / "sweep.toml"
    path.write_text(
        'tokens = 1\nengine = "replay"\n[sweep]\n'
        'workload = ["gemm:64x64x64", "lstm:128"]\nchips = [1, 8]\n',
        encoding="utf-8",
    )
    out = tmp_path / "out"
    done = groqrack("sweep", path, "--out", out, "--jobs=1")
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(out / "results.csv")
    assert table["feasible"].all()
    assert table["workload.macs"].tolist() == [64**3, 64**3, 8 * 128**2, 8 * 128**2]


@pytest.mark.parametrize(
    "asked",
    [
        ("--chips=8", "--strategy=tensor=8"),
        ("--chips=8", "--strategy=tensor=2,pipeline=3,data=1"),
    ],
)
def test_a_model_that_was_written_as_a_graph_has_the_same_schedule(
    groqrack: Groqrack, tmp_path: Path, asked: tuple[str, ...]
) -> None:
    path = tmp_path / "gpt2.json"
    written = groqrack("workload", "gpt2", "--set=model.layers=2", "--out", path)
    assert written.stdout == f"wrote {path}\n"
    schedules = [
        json.loads(
            groqrack("simulate", *model, *asked, "--context=96", "--json").stdout
        )["schedule"]
        for model in (
            ("--model", path),
            ("--model=gpt2", "--set=model.layers=2"),
        )
    ]
    assert schedules[0] == schedules[1]
    as_workload = groqrack("simulate", "--workload", path)
    assert as_workload.returncode == 2
    assert "is the graph of a model: use --model gpt2.json" in as_workload.stderr


def test_the_operators_of_a_model_are_listed_once_for_all_layers(
    groqrack: Groqrack,
) -> None:
    lines = groqrack("workload", "gpt2").stdout.splitlines()
    names = [line.split()[0] for line in lines]
    assert names[1:5] == [
        "embedding.lookup",
        "embedding.tables",
        "attention.norm",
        "attention.scale",
    ]
    assert lines[3].split()[1:3] == ["norm_weigh", "12"]
    # Weights of 124 M parameters, the tied head again, the cache of 1,024 positions.
    *_, read, _ = lines[-1].split()
    assert 160 < float(read) < 170
    beyond = groqrack("workload", "gpt2", "--context=2000")
    assert beyond.returncode == 2
    assert "beyond the 1024 positions of its table" in beyond.stderr


def test_the_operators_of_a_workload_are_listed_with_what_they_take(
    groqrack: Groqrack,
) -> None:
    lines = groqrack("workload", "gemm:1000x1000x1000", "--batch=2").stdout.split("\n")
    assert lines[1].split() == ["gemm", "matmul", "2.000", "6.000", "4.000"]
    assert lines[2].split() == ["all", "1", "2.000", "6.000", "4.000"]
    graph = json.loads(groqrack("workload", "mlp", "--json").stdout)
    assert [operator["name"] for operator in graph["operators"]] == [
        *("norm", "up", "activate", "down")
    ]
    refused = groqrack("workload", "mlp", "--out=mlp.toml")
    assert refused.returncode == 2
    assert "a graph is written as .json" in refused.stderr


def test_operators_of_a_workload_sum_to_its_last_row() -> None:
    graph = load_workload("lstm:512")
    printed = io.StringIO()
    Console(width=80, file=printed).print(
        operators_table(graph, load_machine().formats)
    )
    lines = [line.split() for line in printed.getvalue().splitlines() if line.strip()]
    assert len(lines) == len(graph.operators) + 2
    assert lines[-1][:2] == ["all", str(len(graph.operators))]
    parts = sum(float(line[2].replace(",", "")) for line in lines[1:-1])
    assert float(lines[-1][2]) == pytest.approx(parts, abs=0.001 * len(lines))


def test_the_operators_of_a_model_are_shown_once_and_summed_over_its_layers() -> None:
    graph = graph_of(load_model("llama-2-7b"), context=4096, batch=1)
    printed = io.StringIO()
    Console(width=100, file=printed).print(model_table(graph, load_machine().formats))
    lines = [line.split() for line in printed.getvalue().splitlines()]
    rows = {line[0]: line[1:] for line in lines}
    # 4,096 * 11,008 products in each of 32 layers.
    function, layers, macs, *_ = rows["feed_forward.down"]
    assert (function, layers, macs) == ("product", "32", "0.045")
    # Four and three matrices of a layer, keys and values of 4,096 positions, the head.
    layer = 4 * 4096**2 + 3 * 4096 * 11_008 + 2 * 4096 * 4096
    total = 32 * layer + 32_000 * 4096
    assert rows["all"][:2] == ["layers", f"{total / 1e9:.3f}"]
    assert rows["head.sample"][1] == "1"


def test_layers_in_other_formats_have_rows_of_their_own() -> None:
    model = load_model("llama-3-8b")
    formats = dict.fromkeys(WeightGroup, (parse_weight_format("fp8"),))
    # The first and the last layer are left as they are.
    wide, narrow = parse_weight_format("bf16"), parse_weight_format("int4")
    own = (wide, *[narrow] * (model.layers - 2), wide)
    stored = ModelFormats.by_layers("any", formats | {WeightGroup.FEED_FORWARD: own})
    graph = graph_of(model, context=16, batch=1)
    printed = io.StringIO()
    table = model_table(graph, load_machine().formats, stored)
    Console(width=100, file=printed).print(table)
    rows = [line.split() for line in printed.getvalue().splitlines()]
    down = [row[2:5:2] for row in rows if row and row[0] == "feed_forward.down"]
    # 4,096 x 14,336 weights of two bytes and of half of one, and activations.
    assert down == [["2", "117.469"], ["30", "29.389"]]

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.validation import all_rows
from experiments.validation.comparison import Comparison
from experiments.validation.published_figures import published_figures
from specs.scenario import Scenario

Groqrack = Callable[..., subprocess.CompletedProcess[str]]

PLAN = {
    "strategy",
    "tensor",
    "pipeline",
    "data",
    "expert",
    "attention",
    "layout",
    "routing",
    "chips_used",
    "fullest_chip_bytes",
    "sram_bytes_per_chip",
}
TOPOLOGY = {
    "name",
    "chips",
    "active_chips",
    "links",
    "links_by_level",
    "degree",
    "diameter_hops",
    "mean_hops",
    "hop_histogram",
    "diameter_gateway_hops",
    "mean_gateway_hops",
    "bisection_links",
    "fingerprint",
    "cable_length_m",
    "uniform_bound_gb_per_s",
    "uniform_level_gb_per_s",
    "uniform_minimal_gb_per_s",
}
VALIDATE = {
    "name",
    "group",
    "source",
    "published",
    "ours",
    "unit",
    "error",
    "tolerance",
    "tolerance_from",
    "kind",
    "ok",
    "outcome",
    "reason",
}


def without_seed_and_tokens(options: list[str]) -> list[str]:
    pairs = zip(options[::2], options[1::2], strict=True)
    kept = [pair for pair in pairs if pair[0] not in {"--seed", "--tokens"}]
    return [word for pair in kept for word in pair]


def test_a_person_reads_the_report_in_80_columns(
    groqrack: Groqrack, small: list[str], tmp_path: Path
) -> None:
    done = groqrack("simulate", *small, "--out", tmp_path / "run")
    assert (done.returncode, done.stderr) == (0, "")
    report, files = done.stdout.split("\nfiles in ")
    assert max(len(line) for line in report.splitlines()) <= 80
    for heading in ("Plan", "Latency", "Where the cycles went", "Run"):
        assert re.search(rf"^{heading}( |$)", report, re.MULTILINE)
    assert files.split(": ")[1].split() == [
        "tokens.csv",
        "links.csv",
        "chips.csv",
        "plan.csv",
        "stages.csv",
        "timeline.csv",
        next(path.name for path in (tmp_path / "run").glob("schedule.*")),
        "failovers.csv",
        "sram.csv",
        "summary.json",
        "trace.pftrace.gz",
        "token.png",
        "slack.png",
    ]


def test_a_scenario_file_says_what_options_say_and_options_win(
    groqrack: Groqrack, small_scenario: Scenario, small: list[str], tmp_path: Path
) -> None:
    said = small_scenario.model_dump(exclude={"settings"}, exclude_none=True)
    lines = [f"{key} = {json.dumps(value)}" for key, value in said.items()]
    path = tmp_path / "scenario.toml"
    path.write_text("\n".join([*lines, "", "[link]", "ber = 1e-9"]), encoding="utf-8")
    of_file = json.loads(
        groqrack("simulate", path, "--seed", "5", "--set", "fec.code=none", "--json")
        .stdout
    )  # fmt: skip
    settings = ["--set", "link.ber=1e-09", "--set", "fec.code=none"]
    of_options = json.loads(
        groqrack("simulate", *small, "--seed", "5", *settings, "--json").stdout
    )
    assert of_file["inputs"]["seed"] == 5
    assert of_file["run"]["trajectory_hash"] == of_options["run"]["trajectory_hash"]
    assert of_file["inputs"]["settings"].keys() == {"link.ber", "fec.code"}


def test_a_run_with_violations_ends_with_3_and_says_what_would_help(
    groqrack: Groqrack, tiny_config: Path, tmp_path: Path
) -> None:
    options = ["--model", tiny_config, "--chips", "16", "--tokens", "40"]
    never = ["--set", "deskew.interval_epochs=0", "--set", "clock.drift_ppm=400"]
    told = groqrack("simulate", *options, *never, "--out", tmp_path / "run")
    assert told.returncode == 3
    assert "underflow" in told.stdout
    assert "deskew more often" in told.stdout
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["violations"]["underflow"] > 0


@pytest.mark.parametrize(
    ("setting", "cause"), [("fec.code=rs544", "fec"), ("clock.model=ideal", "link")]
)
def test_a_setting_is_obeyed_and_echoed(
    groqrack: Groqrack, small: list[str], setting: str, cause: str
) -> None:
    plain = json.loads(groqrack("simulate", *small, "--json").stdout)
    done = groqrack("simulate", *small, "--set", setting, "--json")
    document = json.loads(done.stdout)
    assert done.returncode == 0
    key, _, value = setting.partition("=")
    assert document["inputs"]["settings"] == {key: value}
    assert document["iteration"]["breakdown_cycles"][cause] > 0
    assert document["schedule"]["certificate"] != plain["schedule"]["certificate"]


def test_chips_alone_get_a_strategy_that_uses_them(
    groqrack: Groqrack, tiny_config: Path
) -> None:
    done = groqrack("plan", "--model", tiny_config, "--chips", "20", "--json")
    assert json.loads(done.stdout)["plan"]["strategy"] == "tensor=8,pipeline=2"
    done = groqrack("plan", "--model", tiny_config, "--chips", "5", "--json")
    assert json.loads(done.stdout)["plan"]["strategy"] == "tensor=5,pipeline=1"


def test_chips_of_a_file_get_a_strategy_that_uses_them(
    groqrack: Groqrack, tiny_config: Path, tmp_path: Path
) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text(f"model = {str(tiny_config)!r}\nchips = 24\n", encoding="utf-8")
    of_file = json.loads(groqrack("plan", path, "--json").stdout)
    assert of_file["plan"]["strategy"] == "tensor=8,pipeline=3"
    of_option = json.loads(groqrack("plan", path, "--chips", "16", "--json").stdout)
    assert of_option["plan"]["strategy"] == "tensor=8,pipeline=2"


def test_plan_prints_the_plan_and_its_stages(
    groqrack: Groqrack, small: list[str], tmp_path: Path
) -> None:
    options = without_seed_and_tokens(small)
    done = groqrack("plan", *options, "--json", "--out", tmp_path / "plan.csv")
    document = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert document["plan"].keys() >= PLAN
    assert [row["chips"] for row in document["stages"]] == [5, 5, 5, 5]
    weights = sum(row["weight_bytes"] for row in document["stages"])
    assert weights == document["model"]["weight_bytes"]
    assert [path.name for path in tmp_path.iterdir()] == ["plan.csv"]
    table = groqrack("plan", *options).stdout
    assert "tensor=5,pipeline=4" in table
    assert max(len(line) for line in table.splitlines()) <= 80


def test_verify_names_each_rule_and_the_certificate(
    groqrack: Groqrack, small: list[str]
) -> None:
    options = without_seed_and_tokens(small)
    document = json.loads(groqrack("verify", *options, "--json").stdout)
    simulated = json.loads(groqrack("simulate", *small, "--json").stdout)
    assert document["certificate"] == simulated["schedule"]["certificate"]
    assert len(document["checks"]) == 28
    assert min(document["checks"].values()) > 0
    lines = groqrack("verify", *options).stdout.splitlines()
    assert lines[-1] == f"certificate {document['certificate']}"
    assert [line.split("  ")[-1] for line in lines[:-1]] == list(document["checks"])


def test_models_tells_the_sizes_of_the_models_it_is_asked_for(
    groqrack: Groqrack,
) -> None:
    (row,) = json.loads(groqrack("models", "gpt2", "--json").stdout)
    assert (row["name"], row["parameters"]) == ("gpt2", 124_439_808)


def test_topology_describes_the_wiring(groqrack: Groqrack) -> None:
    document = json.loads(groqrack("topology", "--chips", "264", "--json").stdout)
    assert document.keys() >= TOPOLOGY
    assert document["links_by_level"].keys() == {"local", "rack", "global"}
    assert document["degree"].keys() == {"min", "max"}
    assert sum(document["hop_histogram"].values()) == 288 * 287
    text = groqrack("topology", "--topology", "nodes33", "--chips", "264").stdout
    assert "1,452" in text
    assert "uniform traffic, bound    49.9 GB/s a chip" in text
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80


@pytest.mark.parametrize("suffix", [".csv", ".graphml"])
def test_a_topology_written_to_a_file_is_the_same_machine(
    groqrack: Groqrack, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"wired{suffix}"
    wired = ("topology", "--chips", "144", "--topology", "dragonfly:palmtree", "--json")
    written = json.loads(groqrack(*wired, "--out", path).stdout)
    read = json.loads(groqrack("topology", "--topology", path, "--json").stdout)
    assert read.pop("name") == "wired"
    assert written.pop("name") == "dragonfly:palmtree"
    traffic = [key for key in written if key.startswith("uniform")]
    for key in traffic:
        # The file's machine has no known symmetry, so its sums are in another order.
        assert read.pop(key) == pytest.approx(written.pop(key), rel=1e-5)
    assert read == written


def test_a_topology_is_drawn(groqrack: Groqrack, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "node.png"
    done = groqrack("topology", "--topology", "DF_A14_8_CHIP", "--out", path)
    assert (done.returncode, done.stderr) == (0, "")
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("name", "chips", "active"),
    [
        ("DF_A14_64_CHIP", 72, 64),
        ("RT09_A14_72_CHIP", 72, 72),
        ("torus:8x8*2", 64, 64),
        ("fat-tree:4x3", 112, 64),
        ("full-mesh:8", 8, 8),
    ],
)
def test_a_wiring_with_a_size_in_its_name_needs_no_number_of_chips(
    groqrack: Groqrack, name: str, chips: int, active: int
) -> None:
    facts = json.loads(groqrack("topology", "--topology", name, "--json").stdout)
    assert (facts["chips"], facts["active_chips"]) == (chips, active)


def test_a_model_runs_on_the_chips_of_another_machine(
    groqrack: Groqrack, tiny_config: Path
) -> None:
    for wiring in ("torus:4x4", "fat-tree:4x2", "hypercube"):
        words = ["--model", tiny_config, "--chips", "16", "--topology", wiring]
        done = groqrack("simulate", *words, "--tokens", "2", "--json")
        document = json.loads(done.stdout)
        assert (done.returncode, done.stderr) == (0, "")
        assert document["schedule"]["certificate"]
        assert document["inputs"]["topology"] == wiring


@pytest.mark.parametrize(
    "machine", ["groqcard node 1 1", "groqnode node 8 8", "lpx lpx 256 16"]
)
def test_a_machine_brings_its_chips_its_wiring_and_a_split(
    groqrack: Groqrack, tiny_config: Path, machine: str
) -> None:
    name, wiring, chips, tensor = machine.split()
    facts = json.loads(groqrack("topology", "--machine", name, "--json").stdout)
    assert (facts["name"], facts["active_chips"]) == (wiring, int(chips))
    words = ["--machine", name, "--chips", str(min(int(chips), 16)), "--tokens=2"]
    done = groqrack("simulate", "--model", tiny_config, *words, "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert document["inputs"]["strategy"] == f"tensor={tensor}"
    assert document["machine"]["name"] == name
    assert sum(document["violations"].values()) == 0


def test_half_an_lpx_rack_refuses_70b_and_the_whole_of_it_holds_it(
    groqrack: Groqrack,
) -> None:
    half = groqrack("plan", "--machine=lpx", "--chips=128")
    assert half.returncode == 2
    whole = groqrack("plan", "--machine=lpx", "--chips=256", "--json")
    assert json.loads(whole.stdout)["plan"]["chips_used"] == 256


def test_validate_ends_with_3_for_a_disagreement_that_is_not_known(
    groqrack: Groqrack, monkeypatch: pytest.MonkeyPatch
) -> None:
    figure = replace(published_figures()[0], published=100.0, tolerance=0.1)
    known = replace(figure, label="other", reason="a reason")

    def show(*rows: Comparison) -> None:
        monkeypatch.setattr(all_rows, "validation_rows", lambda: rows)

    show(Comparison(figure, 100), Comparison(figure, 89))
    done = groqrack("validate")
    assert done.returncode == 3
    assert "AGREES" not in done.stdout.replace("DISAGREES !", "")
    assert "DISAGREES !" in done.stdout
    told = groqrack("validate", "--json")
    assert told.returncode == 3
    rows = json.loads(told.stdout)
    assert [row.keys() for row in rows] == [VALIDATE, VALIDATE]
    assert [row["error"] for row in rows] == [0, pytest.approx(-0.11)]
    show(Comparison(figure, 91), Comparison(known, 89), Comparison(known, 91))
    told = groqrack("validate", "--json")
    assert told.returncode == groqrack("validate").returncode == 0
    assert [row["outcome"] for row in json.loads(told.stdout)] == [
        *("agrees", "known disagreement", "agrees again")
    ]


def test_help_waits_for_nothing_heavy() -> None:
    heavy = {"numpy", "simpy", "matplotlib", "pandas", "scipy", "networkx", "pydantic"}
    program = (
        "import sys; from experiments.cli.app import app\n"
        "try: app(['--help'])\n"
        "finally: print(*sorted({name.split('.')[0] for name in sys.modules}),"
        " file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "simulate" in done.stdout
    assert heavy & set(done.stderr.split()) == set()


def test_a_simulation_waits_for_no_tables_graphs_or_pictures(
    small_scenario: Scenario,
) -> None:
    heavy = {"simpy", "matplotlib", "pandas", "scipy.sparse", "networkx"}
    program = (
        "import sys; from experiments.cli.app import main\n"
        "try: main()\n"
        "finally: print(*sys.modules, file=sys.stderr)"
    )
    said = small_scenario.model_copy(update={"engine": "replay"}).model_dump()
    words = [f"--{key}={said[key]}" for key in ("model", "chips", "context", "engine")]
    done = subprocess.run(
        [sys.executable, "-c", program, "simulate", "--strategy=tensor=4", *words],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Latency" in done.stdout
    assert heavy & set(done.stderr.split()) == set()


@pytest.mark.parametrize(
    ("kind", "chips"), [("node", 8), ("rack", 72), ("nodes33", 264), ("auto", 576)]
)
def test_a_wiring_of_fixed_size_needs_no_number_of_chips(
    groqrack: Groqrack, kind: str, chips: int
) -> None:
    done = groqrack("topology", "--topology", kind, "--json")
    assert json.loads(done.stdout)["chips"] == chips


def test_a_ring_in_a_file_is_described_whole(
    groqrack: Groqrack, tmp_path: Path
) -> None:
    path = tmp_path / "ring.csv"
    rows = "".join(f"{chip},{(chip + 1) % 9}\n" for chip in range(9))
    path.write_text("source,target\n" + rows)
    done = groqrack("topology", "--topology", str(path), "--json")
    document = json.loads(done.stdout)
    assert (document["chips"], document["diameter_hops"]) == (9, 4)

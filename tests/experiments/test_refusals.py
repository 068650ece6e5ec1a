import subprocess
from collections.abc import Callable
from pathlib import Path

import networkx as nx
import pytest

from specs.machine import load_machine

Groqrack = Callable[..., subprocess.CompletedProcess[str]]

GROQRACK_TOML = Path(__file__).parents[2] / "specs" / "machines" / "groqrack.toml"

# What a person gives, and what the answer must name: the mistake, number, way out.
OPTIONS: dict[str, tuple[list[str], list[str]]] = {
    "70B on 8 chips": (
        ["--model=llama-2-70b", "--chips=8"],
        ["chip 0", "lacks 8,561,443,840 bytes", "--chips 328"],
    ),
    "70B on 72 chips": (
        ["--model=llama-2-70b", "--chips=72"],
        ["does not fit as tensor=8,pipeline=9", "bytes", "--chips 328"],
    ),
    "70B on half an LPX rack": (
        ["--machine=lpx", "--chips=128"],
        ["chip 96", "lacks 57,967,872 bytes", "--chips 144", "(1 rack of 256)"],
    ),
    "more than forty LPX racks": (
        ["--machine=lpx", "--chips=10241"],
        ["10241", "10240"],
    ),
    "too many stages": (
        ["--chips=576", "--strategy=pipeline=1000"],
        ["1000 chips but 576 are there", "--chips 1000"],
    ),
    "a context of ten million": (
        ["--context=10000000"],
        ["kv cache", "lacks", "--context "],
    ),
    "too many sequences": (["--sequences=72"], ["lacks", "--sequences "]),
    "no tokens": (["--tokens=0"], ["tokens = 0", "greater than or equal to 1"]),
    "negative tokens": (["--tokens=-3"], ["tokens = -3"]),
    "negative seed": (["--seed=-1"], ["seed = -1", "0"]),
    "positions that no search finds a row for": (
        ["--model=gpt2", "--chips=8", "--strategy=auto", "--context=2048"],
        ["only 1024", "context 2048", "--context 1024"],
    ),
    "a pass longer than a table of positions": (
        ["--model=bert-base", "--chips=8", "--strategy=auto", "--context=513"],
        ["only 512", "context 513", "--context 512"],
    ),
    "a prompt longer than a table of positions": (
        ["--model=gpt2", "--chips=8", "--prompt=1100"],
        ["only 1024", "--context 1024"],
    ),
    "no chips": (["--chips=0"], ["chips = 0", "1"]),
    "too many chips": (["--chips=20000"], ["20000", "10440"]),
    "a strategy of other words": (["--strategy=garbage"], ["'garbage'", "tensor"]),
    "a misspelt strategy": (
        ["--strategy=tensr=8"],
        ["'tensr'", "did you mean 'tensor'?"],
    ),
    "a strategy without number": (
        ["--strategy=tensor=x"],
        ["'tensor=x'", "tensor=8,pipeline=72"],
    ),
    "an unknown engine": (["--engine=verilator"], ["'verilator'", "'simpy'"]),
    "an unknown topology": (["--topology=wheel"], ["'wheel'", "nodes33"]),
    "a topology too small": (
        ["--topology=node", "--chips=72"],
        ["72 chips", "holds 8", "'rack'"],
    ),
    "a missing topology": (["--topology=links.csv"], ["links.csv", "no file"]),
    "an unknown setting": (
        ["--set=link.bre=1e-9"],
        ["link.bre", "did you mean 'link.ber'?"],
    ),
    "a setting of the wrong kind": (
        ["--set=link.ber=often"],
        ["link.ber", "'often'", "number"],
    ),
    "a setting of the wrong sign": (
        ["--set=link.ber=-1"],
        ["link.ber", "-1", "greater than or equal to 0"],
    ),
    "an unknown error model": (
        ["--set=link.errors=often"],
        ["link.errors", "'often'", "'bursts'"],
    ),
    "a burst of less than a bit": (
        ["--set=link.burst_bits=0.5"],
        ["link.burst_bits", "0.5", "greater than or equal to 1"],
    ),
    "bursts of fewer errors than the mean": (
        ["--set=link.errors=bursts", "--set=link.ber=0.3", "--set=link.burst_ber=0.2"],
        ["ber 0.3 is not below burst_ber 0.2", "lower ber"],
    ),
    "more bursts than there is room for": (
        ["--set=link.errors=bursts", "--set=link.ber=0.3", "--set=link.burst_bits=1"],
        ["60% of all bits", "burst_bits 1", "lower ber below 0.25"],
    ),
    "a setting without value": (["--set=link.ber"], ["link.ber", "KEY=VALUE"]),
    "a setting without key": (["--set==1"], ["=1", "KEY=VALUE"]),
    "too many spares": (["--set=spares=9"], ["spares", "'9'", "8"]),
    "more drift than deskews can remove": (
        ["--set=clock.drift_ppm=20000"],
        ["20000 ppm", "clock.drift_ppm="],
    ),
    "no place in the receive FIFO": (
        ["--set=link.fifo_vectors=0"],
        ["link.fifo_vectors", "'0'", "greater than or equal to 1"],
    ),
    "a missing fault script": (["--faults=my.toml"], ["my.toml", "looked in"]),
    "an unknown model": (["--model=gpt-9"], ["'gpt-9'", "did you mean 'gpt2"]),
    "an unknown machine": (["--machine=groqrak"], ["'groqrak'", "'groqrack'"]),
    "a missing machine file": (["--machine=my.toml"], ["my.toml", "looked in"]),
    "one chip in the trace": (["--trace-chips=5"], ["--trace-chips 5", "0-31"]),
    "chips in the wrong order": (["--trace-chips=5-2"], ["5-2", "before"]),
    "no time in the trace": (["--trace-us=nan-nan"], ["nan-nan", "before"]),
    "words for a time": (["--trace-us=a-b"], ["a-b", "FROM-TO"]),
}
FILES: dict[str, tuple[str, str, list[str]]] = {
    "a truncated config.json": (
        "config.json",
        '{"model_type": "llama", "hidden_size": 40',
        ["config.json", "line 1", "is the file complete?"],
    ),
    "a config.json without sizes": (
        "config.json",
        '{"model_type": "llama", "hidden_size": 4096}',
        ["num_hidden_layers", "is the file complete?"],
    ),
    "an unknown architecture": (
        "config.json",
        '{"model_type": "mamba"}',
        ["model_type 'mamba' is not modelled", "did you mean", "groqrack models"],
    ),
    "a misspelt key of a machine": (
        "machine.toml",
        GROQRACK_TOML.read_text().replace("jitter_cycles", "jiter_cycles"),
        ["[link]", "'jiter_cycles'", "did you mean 'jitter_cycles'?"],
    ),
    "a misspelt key of a scenario": (
        "scenario.toml",
        "tokns = 3",
        ["scenario.toml", "'tokns'", "did you mean 'tokens'?"],
    ),
    "a misspelt setting of a scenario": (
        "scenario.toml",
        "[link]\nbre = 1e-9",
        ["link.bre", "did you mean 'link.ber'?"],
    ),
    "a scenario that is no TOML": (
        "scenario.toml",
        "tokens: 3",
        ["scenario.toml", "not valid TOML", "line 1"],
    ),
    "a sweep": (
        "scenario.toml",
        "[sweep]\nseed = [1, 2]",
        ["[sweep]", "remove it"],
    ),
}


def check(done: subprocess.CompletedProcess[str], told: list[str]) -> None:
    """Check that one line, and nothing more, says all of `told`."""
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert done.stderr.endswith("\n")
    assert done.stderr.count("\n") == 1
    missing = [words for words in told if words not in done.stderr]
    assert missing == [], done.stderr


@pytest.mark.parametrize(("options", "told"), OPTIONS.values(), ids=OPTIONS)
def test_what_cannot_be_is_refused_in_one_line(
    groqrack: Groqrack, tmp_path: Path, options: list[str], told: list[str]
) -> None:
    out = tmp_path / "out"
    check(groqrack("simulate", *options, "--out", out), told)
    assert list(tmp_path.rglob("*")) in ([], [out])


@pytest.mark.parametrize(("name", "content", "told"), FILES.values(), ids=FILES)
def test_a_faulty_file_is_refused_by_name(
    groqrack: Groqrack, tmp_path: Path, name: str, content: str, told: list[str]
) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    option = {"config.json": ["--model"], "machine.toml": ["--machine"]}.get(name, [])
    check(groqrack("simulate", *option, path), told)


def test_a_missing_scenario_is_refused_with_where_it_was_looked_for(
    groqrack: Groqrack, tmp_path: Path
) -> None:
    check(
        groqrack("simulate", tmp_path / "my.toml"),
        ["my.toml", f"looked in {tmp_path}"],
    )


@pytest.mark.parametrize("below", [".", "deeper"])
def test_a_file_in_the_way_of_the_folder_is_refused_before_the_run(
    groqrack: Groqrack, tmp_path: Path, below: str
) -> None:
    path = tmp_path / "taken"
    path.write_text("mine")
    done = groqrack("simulate", "--out", path / below)
    check(done, ["cannot write to", "taken", "choose another --out"])
    assert path.read_text() == "mine"


def test_a_folder_in_the_way_of_a_plan_is_refused(
    groqrack: Groqrack, tiny_config: Path, tmp_path: Path
) -> None:
    done = groqrack("plan", "--model", tiny_config, "--chips=8", "--out", tmp_path)
    check(done, [f"cannot write to {tmp_path}", "choose another --out"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["plan", "verify"])
def test_other_commands_refuse_alike(groqrack: Groqrack, command: str) -> None:
    check(groqrack(command, "--chips=8"), ["does not fit", "--chips 328"])


def test_topology_refuses_what_cannot_be_wired(groqrack: Groqrack) -> None:
    check(groqrack("topology", "--chips=20000"), ["20000", "10440"])
    check(groqrack("topology", "--topology=wheel"), ["'wheel'", "dragonfly"])


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (
            ["0,1", "2,3", "2,3"],
            ["chip 2 cannot be reached from chip 0", "2 separate parts", "add at"],
        ),
        (
            [f"5,{chip}" for chip in range(13) if chip != 5],
            ["chip 5 has 12 links but 11 ports", "remove 1 of them"],
        ),
        (["0,1", "1,1"], ["chip 1 is linked to itself", "remove th"]),
    ],
    ids=["disconnected", "too many links", "a self-loop"],
)
@pytest.mark.parametrize("suffix", [".csv", ".graphml"])
def test_a_wiring_that_cannot_be_names_the_chip(
    groqrack: Groqrack, tmp_path: Path, suffix: str, rows: list[str], told: list[str]
) -> None:
    path = tmp_path / f"links{suffix}"
    if suffix == ".csv":
        path.write_text("\n".join(["source,target", *rows]))
    else:
        graph: nx.Graph[str] = nx.parse_edgelist(rows, delimiter=",")
        nx.write_graphml(graph, path)
    for command in ("topology", "simulate"):
        done = groqrack(command, "--topology", path)
        check(done, [f"links{suffix}", *told])


@pytest.mark.parametrize("name", ["wired", "wired.svg"])
def test_a_topology_is_written_in_a_known_format_only(
    groqrack: Groqrack, tmp_path: Path, name: str
) -> None:
    done = groqrack("topology", "--chips=8", "--out", tmp_path / name)
    check(done, [name, "choose an --out that ends in .csv, .graphml, .png"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words", [["--chips", "many"], ["--chps", "8"], ["--set"]], ids=" ".join
)
def test_an_option_that_cannot_be_read_ends_with_2(
    groqrack: Groqrack, words: list[str]
) -> None:
    done = groqrack("simulate", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert words[0] in done.stderr
    assert "Traceback" not in done.stderr


def test_a_width_that_divides_nothing_runs(groqrack: Groqrack) -> None:
    done = groqrack("plan", "--model=llama-2-70b", "--strategy=tensor=7")
    assert (done.returncode, done.stderr) == (0, "")
    assert "tensor=7,pipeline=82" in done.stdout


def test_a_setting_that_needs_another_is_refused_with_both(
    groqrack: Groqrack,
) -> None:
    bytes_on_wire = load_machine().link.wire_bytes
    done = groqrack("simulate", f"--set=link.vector_bytes={bytes_on_wire + 1}")
    check(done, [f"wire_bytes {bytes_on_wire}", f"vector_bytes {bytes_on_wire + 1}"])

"""Inputs that once broke the command: each ends in one line and its exit code."""

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import networkx as nx
import numpy as np
import pytest

Groqrack = Callable[..., CompletedProcess[str]]


def test_both_engines_run_one_chip_alone(groqrack: Groqrack, tmp_path: Path) -> None:
    alone = tmp_path / "alone.graphml"
    nx.write_graphml(nx.empty_graph(1), alone)
    ends = [
        groqrack(
            *("simulate", "--workload", "gemm:64x64x64", "--topology", alone),
            *("--tokens", "1", "--engine", engine),
        ).stdout.splitlines()[-1]
        for engine in ("simpy", "replay")
    ]
    assert ends[0].startswith("trajectory ")
    assert ends[0] == ends[1]


def test_a_run_in_which_nothing_begins_leaves_every_file(
    groqrack: Groqrack, tmp_path: Path
) -> None:
    faults = tmp_path / "stop.toml"
    faults.write_text('[[fault]]\nkind = "chip-stops"\nat_us = 0.0\nchip = 0\n')
    run = ("simulate", "--workload", "gemm:64x64x64", "--tokens", "1")
    for folder, extra in (("sound", ()), ("stopped", ("--faults", faults))):
        ended = groqrack(*run, *extra, "--engine", "replay", "--out", tmp_path / folder)
        assert ended.returncode == (3 if extra else 0), ended.stderr
    names = [
        {path.name for path in (tmp_path / folder).iterdir()}
        for folder in ("sound", "stopped")
    ]
    assert names[0] <= names[1]


@pytest.mark.parametrize("option", ["--model", "--machine", "--topology", "--workload"])
def test_a_name_of_5000_letters_is_refused_in_a_short_line(
    groqrack: Groqrack, option: str
) -> None:
    model = () if option in ("--model", "--workload") else ("--model", "gpt2")
    refused = groqrack("simulate", *model, option, "m" * 5000)
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: ")
    assert len(refused.stderr) < 1000
    assert refused.stderr.count("\n") == 1


def test_what_a_terminal_would_obey_is_shown_and_not_sent(
    groqrack: Groqrack, tmp_path: Path
) -> None:
    sweep = tmp_path / "sweep.toml"
    sweep.write_text('model = "gpt2"\n[sweep]\nseed = ["\\u001b[31m\\nred"]\n')
    refused = groqrack("sweep", sweep, "--out", tmp_path / "out")
    assert refused.returncode == 2
    assert r"seed=\x1b[31m\nred" in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert "\x1b" not in refused.stderr


def test_a_run_that_finds_no_memory_is_refused_in_one_line(
    groqrack: Groqrack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def allocate(*_: object) -> None:
        np.empty(2**62, dtype=np.int8)

    monkeypatch.setattr("experiments.run.scenario.run_scenario", allocate)
    refused = groqrack("simulate", "--workload", "gemm:64x64x64")
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: this takes more memory than there is (")
    assert refused.stderr.endswith(
        "ask for fewer tokens, sequences, requests or chips\n"
    )
    assert refused.stderr.count("\n") == 1

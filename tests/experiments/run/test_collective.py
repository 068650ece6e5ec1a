import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from experiments.run.collective import (
    collective_report,
    collective_summary,
    run_collective,
)
from specs.machine import load_machine
from topologies.selection import select_topology

Groqrack = Callable[..., subprocess.CompletedProcess[str]]

KEYS = {
    "collective",
    "algorithm",
    "chips",
    "payload_bytes",
    "latency_ns",
    "network_latency_ns",
    "algbw_gb_per_s",
    "busbw_gb_per_s",
    "vectors",
    "vector_hops",
    "run",
}
RUN = {
    "engine",
    "seed",
    "iterations",
    "events",
    "wall_s",
    "peak_rss_bytes",
    "realtime_factor",
    "trajectory_hash",
    "version",
}
ALL_REDUCE = ("collective", "all-reduce", "--chips", "8", "--bytes", "16384")


def test_the_json_has_the_keys_that_are_promised(groqrack: Groqrack) -> None:
    done = groqrack(*ALL_REDUCE, "--json")
    document = json.loads(done.stdout)
    assert document.keys() >= KEYS
    assert document["run"].keys() >= RUN
    assert document["chips"] == 8
    assert document["violations"] == {"underflow": 0, "overflow": 0}
    assert sum(document["breakdown_cycles"].values()) > 0
    bandwidth = document["payload_bytes"] / document["latency_ns"]
    assert document["algbw_gb_per_s"] == pytest.approx(bandwidth)
    assert document["busbw_gb_per_s"] == pytest.approx(bandwidth * 7 / 4)


def test_a_person_reads_why_in_80_columns(groqrack: Groqrack, tmp_path: Path) -> None:
    done = groqrack(*ALL_REDUCE, "--out", tmp_path / "run")
    assert max(map(len, done.stdout.replace(str(tmp_path), "").splitlines())) <= 80
    assert "two-step takes" in done.stdout
    document = json.loads((tmp_path / "run" / "summary.json").read_text("utf-8"))
    assert document["collective"] == "all-reduce"


def test_both_engines_say_the_same(groqrack: Groqrack) -> None:
    said = [
        json.loads(groqrack(*ALL_REDUCE, "--engine", engine, "--json").stdout)
        for engine in ("simpy", "replay")
    ]
    hashes = {document["run"]["trajectory_hash"] for document in said}
    assert len(hashes) == 1
    assert [document["run"]["engine"] for document in said] == ["simpy", "replay"]


def test_seed_settings_and_algorithm_are_heard(groqrack: Groqrack) -> None:
    said = groqrack(
        *ALL_REDUCE,
        *("--algorithm", "ring", "--seed", "7", "--set", "link.forward_cycles=217"),
        "--json",
    )
    document = json.loads(said.stdout)
    assert document["algorithm"] == "ring"
    assert document["run"]["seed"] == 7


def test_a_topology_of_fixed_size_brings_its_chips(groqrack: Groqrack) -> None:
    said = groqrack(
        *("collective", "broadcast", "--bytes", "320", "--topology", "rack", "--json")
    )
    assert json.loads(said.stdout)["chips"] == 72


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("all-redcue", "--bytes", "1"), "no collective 'all-redcue'; did you mean"),
        (("all-reduce", "--bytes", "0"), "a tensor of 0 bytes holds nothing"),
        (("all-reduce", "--bytes", "1", "--chips", "1"), "at least 2 chips, got 1"),
        (
            ("all-gather", "--bytes", "1", "--algorithm", "two-step"),
            "all-gather has no two-step algorithm",
        ),
    ],
)
def test_what_cannot_be_meant_ends_with_2(
    groqrack: Groqrack, words: tuple[str, ...], message: str
) -> None:
    done = groqrack("collective", *words)
    assert done.returncode == 2
    assert message in done.stderr


def test_chips_that_never_deskew_break_the_schedule_in_the_end_or_run_unproven() -> (
    None
):
    machine = load_machine().with_settings({"deskew.interval_epochs": 0})
    run = run_collective(
        select_topology(8), machine, "all-reduce", payload_bytes=16_384, engine="simpy"
    )
    assert run.certificate is None


def test_the_report_of_a_collective_says_what_its_document_says() -> None:
    run = run_collective(
        select_topology(8), load_machine(), "all-reduce", payload_bytes=320
    )
    document = collective_summary(run)
    printed = io.StringIO()
    Console(width=80, file=printed).print(collective_report(run))
    assert f"{document['latency_ns']:,.1f} ns" in printed.getvalue()
    assert document["chips"] == 8
    assert sum(document["breakdown_cycles"].values()) == run.schedule.latency_cycles

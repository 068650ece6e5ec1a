"""What breaks, end to end: from a fault script to tables, words and exit codes."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.run.scenario import Run, run_scenario
from experiments.tables.run_tables import failovers_table, links_table, tokens_table
from specs.scenario import Scenario

Groqrack = Callable[..., subprocess.CompletedProcess[str]]
STOPS = '[[fault]]\nkind = "chip-stops"\nat_us = {at_us}\nchip = {chip}\n'
DIES = '[[fault]]\nkind = "link-dies"\nat_us = {at_us}\nlink = {link}\n'
BAD = DIES.replace("link-dies", "link-ber").replace("at_us = {at_us}", "at_us = 0")
BAD += "until_us = 60\nber = 0.01\n"
ENGINES = pytest.mark.parametrize("engine", ["simpy", "replay"])


@pytest.fixture(scope="module")
def broken(
    small_scenario: Scenario, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Run]:
    """Run the small scenario with two spare nodes and a script of faults."""

    def make(script: str, **changes: object) -> Run:
        path = tmp_path_factory.mktemp("faults") / "faults.toml"
        path.write_text(script, encoding="utf-8")
        settings = {"spares": "2", "link.ber": "0"}
        update = {"settings": settings, "faults": str(path), "engine": "replay"}
        return run_scenario(small_scenario.model_copy(update=update | changes))

    return make


def causes(tokens: pd.DataFrame) -> pd.DataFrame:
    return tokens.loc[:, "compute_ps":"failover_ps"]


def check(run: Run) -> pd.DataFrame:
    """Check that the causes of every token sum to its latency, and none is negative."""
    tokens = tokens_table(run)
    parts = causes(tokens)
    assert parts.columns[0] == "compute_ps"
    assert parts.sum(axis="columns").tolist() == tokens["latency_ps"].tolist()
    assert (tokens["end_ps"] - tokens["start_ps"]).equals(tokens["latency_ps"])
    assert (parts.drop(columns=["deskew_ps", "link_ps"]) >= 0).all(axis=None)
    assert not tokens.duplicated(["sequence", "token"]).any()
    wanted = run.prepared.scenario.tokens * run.prepared.scenario.sequences
    assert len(tokens) + run.result.tokens_lost == wanted
    # A sequence's tokens do not overlap.
    for _, own in tokens.groupby("sequence"):
        assert (own["start_ps"].to_numpy()[1:] >= own["end_ps"].to_numpy()[:-1]).all()
    return tokens


def test_a_failover_is_part_of_the_latency_of_the_tokens_that_waited(
    broken: Callable[..., Run],
) -> None:
    run = broken(STOPS.format(at_us=30, chip=2), tokens=4)
    tokens = check(run)
    (failover,) = failovers_table(run).to_dict("records")
    assert (failover["bad_node"], failover["link"]) == (0, -1)
    took = tokens[tokens["failover_ps"] > 0]
    # One of each sequence.
    assert sorted(took["sequence"]) == [0, 1]
    assert set(took["failover_ps"]) == {failover["duration_ps"]}
    assert (took["latency_ps"] > failover["duration_ps"]).all()
    assert (tokens["replay_ps"] > 0).equals(tokens["attempts"] > 1)


@given(
    at_us=st.floats(0, 250),
    apart_us=st.floats(0, 400),
    chips=st.tuples(st.integers(0, 23), st.integers(0, 71)),
    link=st.integers(0, 100),
    sequences=st.integers(1, 3),
)
@settings(max_examples=8)
def test_causes_sum_to_the_latency_whatever_breaks(
    broken: Callable[..., Run],
    *,
    at_us: float,
    apart_us: float,
    chips: tuple[int, int],
    link: int,
    sequences: int,
) -> None:
    script = STOPS.format(at_us=at_us, chip=chips[0]) + BAD.format(link=link)
    script += STOPS.format(at_us=at_us + apart_us, chip=chips[1])
    check(broken(script, sequences=sequences))


def test_a_link_of_which_nothing_came_has_no_slack(broken: Callable[..., Run]) -> None:
    usual = links_table(broken(""))
    link = int(usual.loc[usual["vectors"] > 0, "link"].iloc[0])
    run = broken(DIES.format(at_us=0, link=link))
    row = links_table(run).loc[link]
    assert (row["vectors"], row["fec_corrected"]) == (0, 0)
    assert row["trains_lost"] > 0
    assert np.isnan(row["min_slack_cycles"])
    rest = links_table(run)["min_slack_cycles"].dropna()
    assert rest.between(0, 1e6).all()
    assert (links_table(run)["utilisation"] >= 0).all()


@ENGINES
def test_with_a_spare_every_token_comes(
    groqrack: Groqrack, small: list[str], tmp_path: Path, engine: str
) -> None:
    script, out = tmp_path / "faults.toml", tmp_path / "out"
    script.write_text(STOPS.format(at_us=20, chip=3), encoding="utf-8")
    words = ["--faults", script, "--set", "spares=1", "--engine", engine]
    done = groqrack("simulate", *small, *words, "--out", out, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    faults = json.loads(done.stdout)["faults"]
    assert (faults["failovers"], faults["tokens_lost"], faults["missing"]) == (1, 0, [])
    assert faults["failover_us"] > 0
    tokens = pd.read_csv(out / "tokens.csv")
    assert len(tokens) == 6
    assert causes(tokens).sum(axis="columns").tolist() == tokens["latency_ps"].tolist()
    (failover,) = pd.read_csv(out / "failovers.csv").to_dict("records")
    assert (failover["chip"], failover["bad_node"], failover["spare_node"]) == (3, 0, 3)


@ENGINES
@pytest.mark.parametrize("at_us", [0, 60])
def test_without_a_spare_the_run_ends_with_3_and_says_what_is_missing(
    groqrack: Groqrack, small: list[str], tmp_path: Path, engine: str, at_us: int
) -> None:
    script = tmp_path / "faults.toml"
    script.write_text(STOPS.format(at_us=at_us, chip=3), encoding="utf-8")
    words = ["--faults", script, "--engine", engine, "--out", tmp_path / "out"]
    # A whole node: no chip is idle.
    words += ["--chips", "8", "--strategy", "tensor=4,pipeline=2"]
    done = groqrack("simulate", *small, *words)
    assert (done.returncode, done.stderr) == (3, "")
    said = " ".join(done.stdout.split())
    for sequence in (0, 1):
        assert f"2 of sequence {sequence} missing: 8 attempts in a row" in said
    assert "chip 3 does not answer, and rack 0 has no spare node left" in said
    assert "spares=1" in said
    again = groqrack("simulate", *small, *words, "--json")
    assert again.returncode == 3
    faults = json.loads(again.stdout)["faults"]
    assert len(faults["missing"]) == 2
    assert (
        sum(m["last_token"] - m["first_token"] + 1 for m in faults["missing"])
        == (faults["tokens_lost"])
    )
    if at_us == 0:
        assert faults["tokens_lost"] == 6


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (DIES.format(at_us=0, link=792), ["fault 1", "no link 792", "0 to 791"]),
        (
            STOPS.format(at_us=0, chip=0) + STOPS.format(at_us=0, chip=72),
            ["fault 2", "no chip 72", "numbered 0 to 71"],
        ),
        (
            BAD.format(link=0).replace("0.01", "-0.01"),
            ["fault 1", "ber = -0.01", "greater than or equal to 0"],
        ),
        (DIES.format(at_us=-1, link=0), ["at_us = -1", "greater than or equal to 0"]),
        (DIES.format(at_us=0, link=0).replace("dies", "die"), ["mean 'link-dies'"]),
    ],
)
def test_a_script_that_cannot_be_meant_is_refused_in_one_line(
    groqrack: Groqrack, small: list[str], tmp_path: Path, script: str, told: list[str]
) -> None:
    path = tmp_path / "faults.toml"
    path.write_text(script, encoding="utf-8")
    done = groqrack("simulate", *small, "--faults", path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {path}: fault ")
    assert done.stderr.count("\n") == 1
    assert [words for words in told if words not in done.stderr] == [], done.stderr

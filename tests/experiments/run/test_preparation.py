import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np

from compiler.search.placement_search import best_placed
from experiments.run.preparation import Prepared, compile_scenario
from experiments.run.scenario import run_scenario
from experiments.tables.run_tables import failovers_table, tokens_table
from specs.scenario import Scenario

Groqrack = Callable[..., subprocess.CompletedProcess[str]]


def test_a_placement_says_what_it_gains_and_is_what_runs(
    groqrack: Groqrack, small: list[str], tmp_path: Path
) -> None:
    cycles = {}
    for rule in ("naive", "auto"):
        done = groqrack("simulate", *small, "--placement", rule, "--json")
        document = json.loads(done.stdout)
        plan, cycles[rule] = document["plan"], document["schedule"]["latency_cycles"]
        assert plan["placement"] == rule
        assert document["violations"] == {"underflow": 0, "overflow": 0} | {
            "link_conflict": 0
        }
        assert plan["placement_gain_cycles"] == cycles["naive"] - cycles[rule]
    assert cycles["auto"] < cycles["naive"]
    # Without --seed and --tokens, which are of a run.
    pairs = dict(zip(small[::2], small[1::2], strict=True))
    kept = {key: pairs[key] for key in pairs if key not in ("--seed", "--tokens")}
    options = [word for pair in kept.items() for word in pair]
    auto = [*options, "--placement", "auto"]
    told = groqrack("plan", *auto, "--explain").stdout
    assert f"Placement: {cycles['naive'] - cycles['auto']:,} of" in told
    # The file of the plan holds the placement.
    path = tmp_path / "plan.csv"
    assert groqrack("plan", *auto, "--out", path).returncode == 0
    kept["--strategy"] = str(path)
    from_file = [word for pair in kept.items() for word in pair]
    document = json.loads(groqrack("simulate", *from_file, "--json").stdout)
    assert document["schedule"]["latency_cycles"] == cycles["auto"]
    refused = groqrack("plan", *from_file, "--placement", "auto")
    assert refused.returncode == 2
    assert "leave out --placement auto" in refused.stderr


def test_what_a_search_finds_is_placed_too(small_scenario: Scenario) -> None:
    update = {"strategy": "auto", "placement": "auto"}
    prepared, schedule = compile_scenario(small_scenario.model_copy(update=update))
    assert prepared.searched is not None
    assert prepared.placed is not None
    found = prepared.searched.found
    best = best_placed(found.schedule).schedule.latency_cycles
    # Of those that the search found to be close another may be the best there.
    assert schedule.latency_cycles <= best <= found.schedule.latency_cycles
    known = {each.strategy for each in found.known}
    assert prepared.plan.strategy in known


def test_a_placed_program_moves_to_the_spare_node(
    small_scenario: Scenario, tmp_path: Path
) -> None:
    faults = tmp_path / "faults.toml"
    faults.write_text('[[fault]]\nkind = "chip-stops"\nat_us = 30\nchip = 2\n')
    update = {
        "settings": {"spares": "1", "link.ber": "0"},
        "faults": str(faults),
        "engine": "replay",
        "tokens": 4,
        "placement": "auto",
    }
    run = run_scenario(small_scenario.model_copy(update=update))
    prepared = run.prepared
    assert isinstance(prepared, Prepared)
    assert prepared.placed is not None
    assert prepared.placed.gain_cycles > 0
    held = np.concatenate([stage.chips for stage in prepared.plan.stages])
    assert held.tolist() == prepared.topology.active[: len(held)].tolist()
    (failover,) = failovers_table(run).to_dict("records")
    assert (failover["bad_node"], failover["spare_node"]) == (0, 3)
    assert len(tokens_table(run)) == 8
    assert run.violations == 0

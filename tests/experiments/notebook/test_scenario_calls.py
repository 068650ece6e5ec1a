import subprocess
import sys
from pathlib import Path
from typing import Any

import networkx as nx
import pytest

import experiments
from experiments.notebook.scenario_calls import (
    plan_scenario,
    run_scenario,
    sweep_scenarios,
)
from experiments.run.scenario import Run
from specs.errors import PlanError, SpecError
from topologies.selection import select_topology

SMALL: dict[str, Any] = {"context": 64, "tokens": 1, "engine": "replay"}


def test_keywords_say_what_a_scenario_says(small_scenario: Any, small_run: Run) -> None:
    run = run_scenario(**small_scenario.model_dump(exclude_unset=True))
    assert run.summary["run"]["trajectory_hash"] == small_run.result.trajectory_hash


def test_a_wiring_is_a_name_a_topology_or_a_graph(tiny_config: Path) -> None:
    wirings = (select_topology(4, "torus:2x2"), "torus:2x2", nx.cycle_graph(4))
    runs = [
        run_scenario(model=tiny_config, strategy="tensor=4", topology=each, **SMALL)
        for each in wirings
    ]
    names = [run.summary["machine"]["topology"] for run in runs]
    assert names == ["torus:2x2", "torus:2x2", "graph"]
    assert {run.summary["machine"]["chips"] for run in runs} == {4}
    first, second, _ = (run.summary["schedule"]["latency_cycles"] for run in runs)
    assert first == second


def test_a_plan_needs_no_run(tiny_config: Path) -> None:
    prepared = plan_scenario(model=tiny_config, chips=5, context=64)
    assert str(prepared.plan.strategy) == "tensor=5,pipeline=1"


def test_a_sweep_is_a_table_with_a_row_for_each_point(tiny_config: Path) -> None:
    table = sweep_scenarios(
        {"strategy.pipeline": (1, 2)},
        model=tiny_config,
        chips=4,
        strategy="tensor=2",
        **SMALL,
    )
    assert table["strategy.pipeline"].tolist() == [1, 2]
    assert table["feasible"].all()
    assert (table["schedule.latency_cycles"] > 0).all()


def test_a_wrong_word_is_one_line(tiny_config: Path) -> None:
    with pytest.raises(SpecError, match=r"run_scenario: there is no key 'modle'"):
        run_scenario(modle="x")
    with pytest.raises(SpecError, match=r"run_scenario: .*tokens"):
        run_scenario(model=tiny_config, tokens="many")
    with pytest.raises(PlanError, match="tensor=9"):
        plan_scenario(model=tiny_config, chips=4, strategy="tensor=9")


def test_the_face_looks_calls_up_when_they_are_asked_for() -> None:
    assert experiments.run_scenario is run_scenario
    with pytest.raises(AttributeError, match="no attribute 'run_scenari'"):
        _ = experiments.run_scenari
    heavy = "import experiments, sys; print('numpy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", heavy], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"

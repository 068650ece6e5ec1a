import json
import subprocess
from collections.abc import Callable

import numpy as np
import pytest
from rich.console import Console

import experiments.cli.execution.execute as command
from compiler.compile_collective import compile_collective
from experiments.cli.execution.execute_collective import (
    collective_execution_report,
    collective_execution_summary,
    execute_collective_command,
)
from experiments.cli.scenario_options import ScenarioOptions
from experiments.execution.collective_execution import CollectiveExecution
from specs.machine import load_machine
from topologies.selection import select_topology

Groqrack = Callable[..., subprocess.CompletedProcess[str]]


def test_an_executed_collective_agrees_or_is_exit_code_3(
    groqrack: Groqrack, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = ("execute", "--collective", "reduce-scatter", "--chips", "4", "--bytes")
    done = groqrack(*small, "777", "--algorithm", "ring")
    assert done.returncode == 0
    assert "agrees" in done.stdout
    monkeypatch.setattr(command, "TOLERANCE", -1.0)
    done = groqrack(*small, "777")
    assert done.returncode == 3
    assert "DIFFERS" in done.stdout


def test_a_collective_has_a_size_and_nothing_of_a_model(groqrack: Groqrack) -> None:
    done = groqrack("execute", "--collective", "all-reduce")
    assert done.returncode == 2
    assert "--bytes 16384" in done.stderr
    done = groqrack(
        "execute", "--collective", "broadcast", "--bytes", "8", "--batch", 2
    )
    assert done.returncode == 2
    assert "a collective has no --batch" in done.stderr


@pytest.fixture(scope="module")
def execution() -> CollectiveExecution:
    """Return an execution of a broadcast among four chips that was made up."""
    node = select_topology(8)
    schedule = compile_collective(
        node,
        load_machine(),
        "broadcast",
        np.arange(4),
        payload_bytes=3200,
        algorithm="one-shot",
    )
    return CollectiveExecution(topology=node, schedule=schedule, difference=3e-7)


def test_the_summary_of_a_collective_counts_operations_and_messages(
    execution: CollectiveExecution,
) -> None:
    summary = collective_execution_summary(execution, 1e-6, 0.5)
    assert summary.pop("version")
    assert summary == {
        "schema": "groqrack-fabric/collective-execution/1",
        "collective": "broadcast",
        "algorithm": "one-shot",
        "form": execution.schedule.form,
        "topology": "node",
        "chips": 4,
        "payload_bytes": 3200,
        "largest_difference": 3e-7,
        "tolerance": 1e-6,
        "agrees": True,
        # Nothing is added, and the root sends to each of the others.
        "operations": 0,
        "messages": 3,
        "wall_s": 0.5,
    }
    assert not collective_execution_summary(execution, 2e-7, 0.5)["agrees"]


@pytest.mark.parametrize(
    ("tolerance", "verdict"), [(1e-6, "agrees"), (1e-7, "DIFFERS")]
)
def test_the_report_of_a_collective_is_its_summary_in_words(
    execution: CollectiveExecution, tolerance: float, verdict: str
) -> None:
    summary = collective_execution_summary(execution, tolerance, 0.5)
    console = Console(width=80, color_system=None)
    with console.capture() as printed:
        console.print(collective_execution_report(execution, summary))
    lines = [" ".join(line.split()) for line in printed.get().splitlines()]
    assert lines == [
        "collective broadcast of 3,200 drawn numbers among 4 chips (node)",
        "algorithm one-shot",
        f"results largest relative difference 3.0e-07, of {tolerance:.0e} allowed:",
        verdict,
        "executed 0 operations, 3 messages",
        "took 0.500 s",
    ]


def test_a_collective_is_of_a_node_unless_something_says_how_many(
    capsys: pytest.CaptureFixture[str],
) -> None:
    agrees = execute_collective_command(
        ScenarioOptions(),
        "all-gather",
        payload_bytes=640,
        algorithm="auto",
        tolerance=0.0,
        as_json=True,
    )
    said = json.loads(capsys.readouterr().out)
    # What is gathered is only copied.
    assert agrees
    assert (said["chips"], said["largest_difference"]) == (8, 0.0)

"""Figures of the table: what a token costs, step by step, on machines of each size."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.references import cpu_s, reference_per_s
from compiler.compile_collective import compile_collective
from compiler.compile_decode import compile_token
from compiler.verify import verify
from experiments.run.preparation import plan_scenario
from fabric.replay import replay
from fabric.simulation import simulate
from specs.machine import load_machine
from specs.scenario import Scenario
from topologies.selection import select_topology

# Llama-2-7B with 5 of its 32 layers is what a node holds.
NODE_CONFIG = {
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 5,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "vocab_size": 32000,
}
MACHINES = {
    8: ("", "node"),
    72: ("llama-2-7b", "rack"),
    264: ("llama-2-7b", "nodes33"),
    576: ("llama-2-70b", "dragonfly"),
    10_440: ("llama-2-70b", "dragonfly"),
}
REPLAY_TOKENS = 101
_MIB = 2**20
# What is over sooner is measured several times.
_SHORT_S = 0.3
_TIMES = 3
_START = "from experiments.cli.app import main; main()"


class Figure(NamedTuple):
    """A measured figure, beside its reference.

    Attributes
    ----------
    name, chips
        What was measured, and the size of the machine.
    cpu_s
        CPU seconds.
    reference, reference_per_s
        Name and rate of the reference, measured in the same minute.
    """

    name: str
    chips: int
    cpu_s: float
    reference: str
    reference_per_s: float

    @property
    def equivalent(self) -> float:
        """Return the figure as work of the reference: timeouts, or bytes."""
        return self.cpu_s * self.reference_per_s


def figures(machines: Sequence[int]) -> Iterator[Figure]:
    """Yield the figures of machines of some sizes, as they are measured."""
    for chips in machines:
        yield from _token_figures(chips)
        yield from _collective_figures(chips)
    yield measured("start of the command", 0, "simpy", _start)


def measured(
    name: str, chips: int, reference: str, work: Callable[[], Any], share: int = 1
) -> Figure:
    """Return a figure and the rate of its reference, measured just before.

    Parameters
    ----------
    name, chips, reference
        Those of the figure.
    work
        What is measured.
    share
        By what the seconds are divided, such as a number of tokens.
    """
    rate = reference_per_s(reference)
    spent_s = cpu_s(work)
    if spent_s < _SHORT_S:
        spent_s = min(spent_s, cpu_s(work, _TIMES))
    return Figure(name, chips, spent_s / share, reference, rate)


def _token_figures(chips: int) -> Iterator[Figure]:
    """Yield what a token of a model that fits costs, step by step."""
    model, kind = MACHINES[chips]
    with tempfile.TemporaryDirectory() as folder:
        if not model:
            config = Path(folder) / "config.json"
            config.write_text(json.dumps(NODE_CONFIG), encoding="utf-8")
            model = str(config)
        scenario = Scenario(
            model=model,
            topology=kind,
            chips=chips,
            strategy=f"tensor=8,pipeline={chips // 8}",
        )
        yield measured("plan", chips, "simpy", lambda: plan_scenario(scenario))
        prepared = plan_scenario(scenario)
    plan, topology, machine = prepared.plan, prepared.topology, prepared.machine
    yield measured("compile", chips, "simpy", lambda: compile_token(plan, topology))
    schedule = compile_token(plan, topology)
    program = schedule.program
    yield measured(
        "verify",
        chips,
        "numpy",
        lambda: verify(program, topology, machine, plan=schedule.plan),
    )
    yield measured(
        "token in SimPy",
        chips,
        "simpy",
        lambda: simulate(program, topology, machine, seed=1, tokens=1),
    )
    yield measured(
        "token in replay",
        chips,
        "numpy",
        lambda: replay(program, topology, machine, seed=1, tokens=REPLAY_TOKENS),
        REPLAY_TOKENS,
    )


def _collective_figures(chips: int) -> Iterator[Figure]:
    """Yield what an all-reduce of 1 MiB costs to compile."""
    _, kind = MACHINES[chips]
    topology, machine = select_topology(chips, kind), load_machine()
    members = topology.active.astype(np.int64)
    yield measured(
        "all-reduce",
        chips,
        "simpy",
        lambda: compile_collective(
            topology,
            machine,
            "all-reduce",
            members,
            payload_bytes=_MIB,
            algorithm="hierarchical",
        ),
    )


def _start() -> None:
    """Start the command in another process, whose time counts as this one's."""
    command = [sys.executable, "-c", _START, "--version"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

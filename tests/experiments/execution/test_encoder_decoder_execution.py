"""Both passes of encoder-decoders, from a config to a proof and numbers."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compiler.compile_graph import compile_workload
from compiler.verify import verify
from experiments.execution.workload_execution import run_workload_execution
from fabric.replay import replay
from fabric.simulation import simulate
from sharding.parallelism.grid import Grid
from sharding.workloads.workload_planner import plan_workload
from specs.errors import VerificationError
from specs.graph import Matmul
from specs.machine import load_machine
from tests.workloads.encoder_decoders.make_transformers_values import CASES
from topologies.selection import select_topology
from workloads.graphs.workload import Workload, load_workload

MACHINE = load_machine()
NODE = select_topology(8)


def workload_of(folder: Path, case: str, named: str) -> Workload:
    path = folder / "mine.json"
    path.write_text(json.dumps(CASES[case]), encoding="utf-8")
    return load_workload(f"{path}:{named}")


def scheduled(workload: Workload, grid: Grid) -> Any:
    chips = NODE.active.astype(np.int64)
    return compile_workload(plan_workload(workload, MACHINE, grid, chips), NODE)


@pytest.mark.parametrize("case", ["t5", "whisper"])
@pytest.mark.parametrize(
    ("named", "grid", "batch"),
    [
        ("encoder,positions=7", Grid(column=2, row=2), 1),
        ("encoder,positions=7", Grid(column=1, row=1, pipeline=3), 2),
        ("decoder,context=6,positions=7", Grid(column=2, row=2), 1),
        ("decoder,context=6,positions=7", Grid(column=1, row=1, pipeline=3), 2),
    ],
)
def test_passes_are_proven_and_equal_to_their_reference(
    tmp_path: Path, case: str, named: str, grid: Grid, batch: int
) -> None:
    workload = workload_of(tmp_path, case, named).batched(batch)
    schedule = scheduled(workload, grid)
    verify(schedule.program, NODE, MACHINE, plan=schedule.plan)
    # The second token has the cache that the first one has left.
    execution = run_workload_execution(schedule.plan, schedule.program, iterations=2)
    assert execution.agrees(1e-5), execution.differences


def test_both_engines_run_a_token_alike(tmp_path: Path) -> None:
    workload = workload_of(tmp_path, "t5", "decoder,context=6,positions=7")
    schedule = scheduled(workload, Grid(column=2, row=1))
    runs = [
        run(schedule.program, NODE, MACHINE, tokens=1, seed=1)
        for run in (simulate, replay)
    ]
    assert runs[0].trajectory_hash == runs[1].trajectory_hash


def test_a_token_that_reads_the_cross_keys_of_another_layer_is_refused(
    tmp_path: Path,
) -> None:
    workload = workload_of(tmp_path, "whisper", "decoder,context=6,positions=7")
    other = {
        "cross.layers.0.keys": "cross.layers.1.keys",
        "cross.layers.1.keys": "cross.layers.0.keys",
    }
    crossed = tuple(
        operator.model_copy(update={"right": other.get(operator.right, operator.right)})
        if isinstance(operator, Matmul)
        else operator
        for operator in workload.operators
    )
    grid = Grid(column=2, row=1)
    made = scheduled(replace(workload, operators=crossed), grid)
    wanted = scheduled(workload, grid).plan
    with pytest.raises(VerificationError, match="computes something else"):
        verify(made.program, NODE, MACHINE, plan=wanted)

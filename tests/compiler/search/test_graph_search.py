import numpy as np
import pytest

from compiler.compile_graph import compile_workload
from compiler.search.graph_search import best_schedule
from sharding.parallelism.grid import grids
from sharding.workloads.workload_planner import plan_workload
from specs.errors import PlanError
from specs.machine import load_machine
from topologies.selection import select_topology
from workloads.graphs.workload import load_workload

MACHINE = load_machine()
NODE = select_topology(8)


@pytest.mark.parametrize(
    "name", ["mlp", "lstm:1024", "gemm:64x8192x64", "gemm:2304x512x1280:gathered"]
)
def test_no_split_is_faster_than_the_best(name: str) -> None:
    chips = NODE.active.astype(np.int64)
    best = best_schedule(load_workload(name), MACHINE, NODE, chips)
    assert best.latency_cycles == min(
        compile_workload(
            plan_workload(load_workload(name), MACHINE, grid, chips), NODE
        ).latency_cycles
        for grid in grids(8)
    )


def test_where_no_split_fits_the_one_by_columns_says_why() -> None:
    chips = NODE.active.astype(np.int64)
    with pytest.raises(PlanError, match=r"b of gemm has 4 columns"):
        best_schedule(load_workload("gemm:4x4x4"), MACHINE, NODE, chips[:5])

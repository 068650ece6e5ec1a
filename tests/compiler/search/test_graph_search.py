import numpy as np
import pytest

from compiler.compile_graph import compile_workload
from compiler.search.graph_search import best_of, best_schedule
from sharding.parallelism.grid import Grid, grids
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


def test_of_some_splits_those_that_do_not_fit_are_passed_over() -> None:
    chips = NODE.active.astype(np.int64)[:4]
    narrow = load_workload("gemm:4x4x2")
    # Four chips cannot share two columns; each can have half a column.
    splits = [Grid(column=4, row=1), Grid(column=2, row=2)]
    best = best_of(splits, narrow, MACHINE, NODE, chips)
    assert best.plan.strategy == splits[1]
    assert best.program.dataflow is not None
    with pytest.raises(PlanError, match="b of gemm has 2 columns"):
        best_of(splits[:1], narrow, MACHINE, NODE, chips)


def test_the_best_of_one_split_is_that_split() -> None:
    chips = NODE.active.astype(np.int64)
    for grid in (Grid(column=8, row=1), Grid(column=2, row=4)):
        made = best_of([grid], load_workload("gemm:64x64x64"), MACHINE, NODE, chips)
        assert made.plan.strategy == grid

"""Where the parts of a result meet, on a graph of three products in three stages."""

import numpy as np
import pytest

from sharding.operators.operators import Pattern
from sharding.parallelism.grid import Grid
from sharding.workloads.workload_gathers import (
    Shards,
    crossing_bytes,
    crossing_shards,
    gather,
    gathering_stage,
    shards_of,
)
from sharding.workloads.workload_plan import WorkloadPlan
from sharding.workloads.workload_planner import plan_workload
from specs.graph import Matmul, Role, Tensor
from specs.machine import load_machine
from workloads.graphs.workload import Workload

# Elements of each result, and of the half that a chip makes.
WHOLE, HALF = 4 * 8, 4 * 4


def planned(middle: str, *, gathered: bool = False, column: int = 2) -> WorkloadPlan:
    """Return a plan of p0: x to a, of p1: `middle` to b, and of p2: a and b to y."""
    activations = [
        Tensor(name="x", role=Role.INPUT, rows=4, columns=8),
        Tensor(name="a", rows=4, columns=8),
        Tensor(name="b", rows=4, columns=8),
        Tensor(name="y", role=Role.OUTPUT, rows=4, columns=8, gathered=gathered),
    ]
    weights = [
        Tensor(name=f"w{number}", role=Role.WEIGHTS, rows=rows, columns=8)
        for number, rows in enumerate((8, 8, 16))
    ]
    operators = (
        Matmul(name="p0", left=("x",), right="w0", output="a"),
        Matmul(name="p1", left=(middle,), right="w1", output="b"),
        Matmul(name="p2", left=("a", "b"), right="w2", output="y"),
    )
    workload = Workload("three", (*activations, *weights), operators)
    grid = Grid(column=column, row=1, pipeline=3)
    return plan_workload(workload, load_machine(), grid, np.arange(grid.chips))


def elements(passed: list[tuple[str, Shards]]) -> dict[str, list[int]]:
    return {name: shards.elements.tolist() for name, shards in passed}


def test_a_result_is_gathered_in_the_first_stage_that_reads_it() -> None:
    # The middle product reads what the first one makes, or does not.
    assert [gathering_stage(planned("a"), name) for name in "ab"] == [1, 2]
    assert [gathering_stage(planned("x"), name) for name in "ab"] == [2, 2]


def test_an_output_is_gathered_where_it_is_made() -> None:
    assert gathering_stage(planned("a", gathered=True), "y") == 2
    assert gathering_stage(planned("a"), "y") == 2


def test_members_pass_on_their_halves_until_a_result_is_gathered() -> None:
    plan = planned("x")
    assert elements(crossing_shards(plan, 1)) == {"a": [HALF, HALF]}
    assert elements(crossing_shards(plan, 2)) == {"a": [HALF, HALF], "b": [HALF, HALF]}


def test_members_pass_on_all_of_a_result_that_was_gathered_before() -> None:
    plan = planned("a")
    assert elements(crossing_shards(plan, 1)) == {"a": [HALF, HALF]}
    passed = crossing_shards(plan, 2)
    assert elements(passed) == {"a": [WHOLE, WHOLE], "b": [HALF, HALF]}
    ((whole,), (half,)) = (shards.regions() for _, shards in passed)
    assert (whole.first.tolist(), whole.last.tolist()) == ([0, 0], [WHOLE, WHOLE])
    assert (half.first.tolist(), half.last.tolist()) == ([0, HALF], [HALF, WHOLE])
    # FP16.
    assert crossing_bytes(plan, 2).tolist() == [2 * (WHOLE + HALF)] * 2


def test_a_gather_sends_each_half_to_all_or_to_the_first_chip() -> None:
    plan = planned("a", gathered=True)
    for name, pattern in (("a", Pattern.GATHER), ("y", Pattern.TO_LEADER)):
        (exchange,) = gather(plan, name)
        assert exchange.pattern is pattern
        assert exchange.shard_bytes.tolist() == [2 * HALF] * 2
        assert exchange.teams.tolist() == [0, 0]
    # Nobody reads an output whose parts stay where they are made.
    assert gather(planned("a"), "y") == []
    assert gather(planned("a", column=1), "a") == []


@pytest.mark.parametrize("name", ["a", "b", "y"])
def test_chips_make_the_halves_of_what_a_product_makes(name: str) -> None:
    shards = shards_of(planned("a"), name)
    assert shards is not None
    assert shards.elements.tolist() == [HALF, HALF]
    (region,) = shards.regions()
    assert (region.value, region.first.tolist()) == (name, [0, HALF])

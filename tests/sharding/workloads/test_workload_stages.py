from dataclasses import replace

import numpy as np
import pytest

from sharding.parallelism.grid import Grid
from sharding.planner.coverage import check_coverage
from sharding.workloads.workload_gathers import crossing, crossing_bytes
from sharding.workloads.workload_plan import WorkloadPlan
from sharding.workloads.workload_planner import plan_workload
from sharding.workloads.workload_stages import stage_ranges, uncut_runs
from specs.errors import PlanError
from specs.graph import Matmul, Role, Tensor, Vector
from specs.machine import load_machine
from workloads.graphs.workload import Workload, load_workload

MACHINE = load_machine()


def planned(workload: Workload, pipeline: int, column: int = 2) -> WorkloadPlan:
    grid = Grid(column=column, row=1, pipeline=pipeline)
    return plan_workload(workload, MACHINE, grid, np.arange(grid.chips))


def layers(count: int) -> Workload:
    """Return products one after the other, 16 x 64 by 64 x 64 each."""
    names = [f"x{number}" for number in range(count + 1)]
    roles = [Role.INPUT, *[Role.ACTIVATION] * (count - 1), Role.OUTPUT]
    activations = [
        Tensor(name=name, role=role, rows=16, columns=64)
        for name, role in zip(names, roles, strict=True)
    ]
    weights = [
        Tensor(name=f"w{number}", role=Role.WEIGHTS, rows=64, columns=64)
        for number in range(count)
    ]
    products = [
        Matmul(name=f"p{n}", left=(names[n],), right=f"w{n}", output=names[n + 1])
        for n in range(count)
    ]
    return Workload("layers", (*activations, *weights), tuple(products))


def test_chains_and_states_stay_in_one_stage() -> None:
    assert uncut_runs(layers(3)) == [range(1), range(1, 2), range(2, 3)]
    # A product with what is chained to it, and a state that both read and make.
    assert uncut_runs(load_workload("lstm:64")) == [range(2)]
    mlp = load_workload("mlp")
    chained = [
        number
        for number, each in enumerate(mlp.operators)
        if isinstance(each, Vector) and each.chained
    ]
    starts = [run.start for run in uncut_runs(mlp)]
    assert not set(chained) & set(starts)


def test_equal_products_are_shared_evenly() -> None:
    plan = planned(layers(6), 3)
    assert [(stage.first, stage.last) for stage in plan.stages] == [
        (0, 2),
        (2, 4),
        (4, 6),
    ]
    assert [stage.chips.tolist() for stage in plan.stages] == [[0, 1], [2, 3], [4, 5]]
    assert [stage.layers for stage in plan.stages] == [
        "p0 to p1",
        "p2 to p3",
        "p4 to p5",
    ]


def test_weights_are_on_the_stage_that_multiplies_them() -> None:
    plan = planned(layers(4), 2)
    assert check_coverage(plan.slices) == 4 * 64 * 64
    where = plan.slices.groupby("stage")["tensor"].unique()
    assert [sorted(names) for names in where] == [["w0", "w1"], ["w2", "w3"]]
    held = plan.slices.groupby("chip")["bytes"].sum().tolist()
    planned_bytes = [
        size for stage in plan.stages for size in stage.memory.weights.tolist()
    ]
    assert held == planned_bytes == [2 * 64 * 32] * 4


def test_what_is_read_behind_a_cut_crosses_it_in_shards() -> None:
    plan = planned(layers(4), 2)
    assert crossing(plan, plan.stages[1].first) == {"x2": "x2"}
    # FP16 activations; each of two members passes its half.
    assert crossing_bytes(plan, 2).tolist() == [2 * 16 * 32] * 2
    assert crossing(plan, 0) == {}


def test_more_stages_than_operators_are_refused() -> None:
    with pytest.raises(PlanError, match="may be apart: 3; use pipeline=3 or fewer"):
        planned(layers(3), 4)


def test_a_workload_that_no_chip_holds_fits_in_stages() -> None:
    big = load_workload("gemm:8x14000x14000")
    wide = Workload(
        "two",
        (
            *big.tensors[:2],
            big.tensors[2].model_copy(update={"role": Role.ACTIVATION}),
            big.tensors[1].model_copy(update={"name": "d"}),
            Tensor(name="e", role=Role.OUTPUT, rows=8, columns=14000),
        ),
        (
            *big.operators,
            Matmul(name="again", left=("c",), right="d", output="e"),
        ),
    )
    with pytest.raises(PlanError, match="does not fit as column=2,row=1"):
        planned(wide, 1)
    assert len(planned(wide, 2).stages) == 2
    with pytest.raises(PlanError, match="does not fit as column=1,row=1,pipeline=2"):
        planned(wide, 2, column=1)


def alone(workload: Workload, pipeline: int, sram_bytes: int = 0) -> WorkloadPlan:
    """Return a plan of one stage that asks for several."""
    plan = planned(workload, 1)
    machine = MACHINE.with_settings(
        {"chip.sram_bytes": sram_bytes or MACHINE.chip.sram_bytes}
    )
    grid = replace(plan.strategy, pipeline=pipeline)
    return replace(plan, strategy=grid, machine=machine)


def test_stages_have_equal_shares_of_equal_products() -> None:
    ranges = stage_ranges(alone(layers(6), 3))
    assert ranges == [range(2), range(2, 4), range(4, 6)]
    assert stage_ranges(alone(layers(6), 1)) == [range(6)]


def test_stages_follow_the_memory_of_their_chips_and_end_where_none_is_left() -> None:
    # Two chips share 64 x 64 weights of 1 B; an input and a result of 16 x 64 in FP16
    # are on both.
    weights, alive = 64 * 32, 2 * 16 * 64 * 2
    text = MACHINE.chip.program_reserve_bytes
    fits = text + alive + 2 * weights
    assert stage_ranges(alone(layers(6), 3, fits)) is not None
    assert stage_ranges(alone(layers(6), 2, fits)) is None
    assert stage_ranges(alone(layers(6), 3, fits - 1)) is None

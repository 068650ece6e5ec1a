import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chip.operator_work import ProductWork
from sharding.operators.operators import Compute, Exchange, Pattern
from sharding.parallelism.grid import Grid
from sharding.planner.coverage import check_coverage
from sharding.workloads.workload_cost import (
    WorkloadCost,
    least_mxm_cycles,
    operator_work,
    workload_work,
)
from sharding.workloads.workload_memory import alive_bytes
from sharding.workloads.workload_operators import workload_steps
from sharding.workloads.workload_plan import WorkloadPlan
from sharding.workloads.workload_planner import plan_workload
from specs.errors import PlanError
from specs.machine import load_machine
from workloads.graphs.workload import load_workload, workload_names

MACHINE = load_machine()
RESERVE = MACHINE.chip.program_reserve_bytes
SIDES = st.integers(9, 600)
GRIDS = st.builds(Grid, column=st.integers(1, 9), row=st.integers(1, 9))


def planned(name: str, grid: Grid, *, batch: int = 1) -> WorkloadPlan:
    workload = load_workload(name).batched(batch)
    chips = np.arange(grid.chips, dtype=np.int64)
    return plan_workload(workload, MACHINE, grid, chips)


@given(SIDES, SIDES, SIDES, GRIDS, st.integers(1, 3))
def test_a_product_multiplies_and_moves_what_its_shape_says(
    rows: int, inner: int, columns: int, grid: Grid, batch: int
) -> None:
    plan = planned(f"gemm:{rows}x{inner}x{columns}", grid, batch=batch)
    assert workload_work(plan.workload, MACHINE.formats) == WorkloadCost(
        macs=batch * rows * inner * columns,
        read_bytes=2 * (batch * rows * inner + inner * columns),
        written_bytes=2 * batch * rows * columns,
    )
    assert least_mxm_cycles(plan.workload, MACHINE) == pytest.approx(
        batch * rows * inner * columns / 102_400
    )


@given(SIDES, SIDES, SIDES)
def test_a_product_on_one_chip_keeps_all_three_matrices(
    rows: int, inner: int, columns: int
) -> None:
    plan = planned(f"gemm:{rows}x{inner}x{columns}", Grid(column=1, row=1))
    memory = plan.stages[0].memory
    assert memory.weights.tolist() == [2 * inner * columns]
    assert memory.activations.tolist() == [2 * (rows * inner + rows * columns)]
    assert plan.fullest_chip_bytes == RESERVE + 2 * (
        rows * inner + inner * columns + rows * columns
    )


@given(SIDES, SIDES, SIDES, GRIDS)
def test_a_split_product_keeps_each_matrix_once_but_for_the_streamed_one(
    rows: int, inner: int, columns: int, grid: Grid
) -> None:
    plan = planned(f"gemm:{rows}x{inner}x{columns}", grid)
    memory = plan.stages[0].memory
    assert memory.weights.sum() == plan.weight_bytes == 2 * inner * columns
    # Each column of the grid needs the first operand; partial sums are on every row.
    partial = 2 * rows * columns * (grid.row if grid.row > 1 else 0)
    streamed = 2 * rows * inner * grid.column
    result = 2 * rows * columns
    assert memory.activations.sum() == streamed + result + partial


@given(st.integers(1, 2000))
def test_a_step_of_an_lstm_multiplies_each_weight_once(hidden: int) -> None:
    plan = planned(f"lstm:{hidden}", Grid(column=1, row=1))
    gates, cell = plan.workload.operators
    assert operator_work(plan.workload, MACHINE.formats, gates) == WorkloadCost(
        macs=8 * hidden**2,
        read_bytes=2 * hidden + 8 * hidden**2,
        written_bytes=2 * 4 * hidden,
    )
    assert operator_work(plan.workload, MACHINE.formats, cell) == WorkloadCost(
        macs=0, read_bytes=2 * 5 * hidden, written_bytes=3 * hidden
    )
    assert plan.stages[0].memory.weights.tolist() == [8 * hidden**2]
    # The hidden state in INT8, the cell in FP16.
    assert plan.stages[0].memory.kv_cache.tolist() == [3 * hidden]


def test_an_activation_lives_until_it_was_read_last() -> None:
    plan = planned("mlp", Grid(column=1, row=1))
    x, hidden = 2 * 16 * 1024, 2 * 16 * 4096
    # x and normed; normed and up; up and activated; activated and y.
    assert alive_bytes(
        plan.workload, MACHINE, plan.strategy, range(len(plan.workload.operators))
    )[:, 0].tolist() == [*(2 * x, x + hidden, 2 * hidden, hidden + x)]


@pytest.mark.parametrize("name", workload_names())
@given(grid=GRIDS)
def test_every_weight_is_on_exactly_one_chip_or_a_copy(name: str, grid: Grid) -> None:
    plan = planned(name, grid)
    assert check_coverage(plan.slices) >= plan.weight_bytes
    held = plan.slices.groupby("chip")["bytes"].sum()
    assert held.tolist() == plan.stages[0].memory.weights.tolist()


@given(SIDES, SIDES, SIDES, st.integers(1, 9))
def test_columns_alone_need_no_exchange_for_what_is_not_gathered(
    rows: int, inner: int, columns: int, parts: int
) -> None:
    plan = planned(f"gemm:{rows}x{inner}x{columns}", Grid(column=parts, row=1))
    (step,) = workload_steps(plan)
    assert isinstance(step, Compute)
    widest = -(-columns // parts)
    # Tiles of 320 x 320 in FP16, two to a round, which takes 40 cycles to load, 12
    # beside, and two for each row. Rows stream once for each column of tiles, with half
    # of the streams of 20,480 B for them and the results.
    deep, wide = -(-inner // 320), -(-widest // 320)
    rounds = -(-deep * wide // 2) * (52 + 2 * rows)
    passing = -(-2 * 2 * rows * (wide * inner + widest) // 20_480)
    assert step.cycles.max() == MACHINE.chip.matmul_fill_cycles + max(rounds, passing)


def test_rows_scatter_sums_and_what_is_read_in_whole_is_gathered() -> None:
    steps = workload_steps(planned("mlp", Grid(column=2, row=2)))
    exchanges = [step for step in steps if isinstance(step, Exchange)]
    assert [(each.name, each.pattern) for each in exchanges] == [
        ("up sums", Pattern.SCATTER),
        ("activated", Pattern.GATHER),
        ("down sums", Pattern.SCATTER),
        ("y", Pattern.TO_LEADER),
    ]
    # 16 rows of 4,096 columns on four chips, in FP16.
    assert exchanges[1].shard_bytes.tolist() == 4 * [2 * 16 * 1024]
    assert exchanges[0].teams.tolist() == [0, 0, 1, 1]


def test_the_cell_of_an_lstm_stays_where_its_gates_are() -> None:
    plan = planned("lstm:64", Grid(column=4, row=1))
    steps = workload_steps(plan)
    assert [step.name for step in steps] == ["gates, cell", "h"]
    # A quarter of the cell in FP16, and the whole hidden state in INT8.
    assert plan.stages[0].memory.kv_cache.tolist() == 4 * [2 * 16 + 64]


def test_rows_of_weights_meet_a_part_of_each_input_that_lies_beside_others() -> None:
    first, *_ = workload_steps(planned("lstm:64", Grid(column=1, row=3)))
    assert isinstance(first, Compute)
    works = [work for work in first.works if isinstance(work, ProductWork)]
    # 128 rows, of which the input meets the first 64 and the hidden state the others.
    assert [work.shape.inner for work in works] == [(42,), (22, 21), (43,)]
    # Four gates of 64 are padded each.
    assert {work.shape.columns for work in works} == {(64, 64, 64, 64)}


def test_a_grid_finer_than_a_matrix_is_refused() -> None:
    with pytest.raises(PlanError, match=r"b of gemm has 4 columns, .* use column=4"):
        planned("gemm:8x8x4", Grid(column=8, row=1))
    with pytest.raises(PlanError, match=r"has 8 rows, which cannot be split into 9"):
        planned("gemm:8x8x40", Grid(column=1, row=9))


def test_what_does_not_fit_says_the_fewest_chips_that_would_do() -> None:
    # 3 x 128 MB: halves of two matrices and one whole are still too much.
    message = r"lacks 155,410,432 bytes.* --chips 3 --strategy column=3,row=1"
    for grid in (Grid(column=1, row=1), Grid(column=2, row=1), Grid(column=1, row=2)):
        with pytest.raises(PlanError, match=message if grid.chips == 1 else "lacks"):
            planned("gemm:8000x8000x8000", grid)
    planned("gemm:8000x8000x8000", Grid(column=3, row=1))


def test_what_is_whole_on_each_chip_fits_no_machine() -> None:
    with pytest.raises(PlanError, match="No split over 10,440 chips would do either"):
        planned("gemm:200000x1024x1024:gathered", Grid(column=1, row=1))

import numpy as np

from chip.dataflow import Function
from sharding.operators.operands import Operand
from sharding.parallelism.grid import Grid
from sharding.workloads.workload_plan import WorkloadPlan
from sharding.workloads.workload_planner import plan_workload
from sharding.workloads.workload_regions import (
    OperatorRegions,
    matrix_names,
    partial_name,
)
from specs.graph import Matmul, Role, Tensor
from specs.machine import load_machine
from workloads.graphs.workload import load_workload

MACHINE = load_machine()


def planned(name: str, grid: Grid) -> WorkloadPlan:
    chips = np.arange(grid.chips, dtype=np.int64)
    return plan_workload(load_workload(name), MACHINE, grid, chips)


def edges(operand: Operand) -> list[tuple[int, int, int, int, int]]:
    columns = (column.tolist() for column in operand[1:6])
    return list(zip(*columns, strict=True))


def test_a_product_reads_its_block_and_makes_parts_of_its_columns() -> None:
    own = OperatorRegions(planned("gemm:2x6x8", Grid(column=2, row=2)), 0)
    made = own.product()
    assert made.function is Function.MATRIX_PRODUCT
    left, weights = made.reads
    # Two rows of three columns each: those that meet the rows of the weights.
    assert edges(left) == [
        (0, 0, 6, 0, 1),
        (1, 6, 12, 0, 1),
        (2, 0, 6, 0, 1),
        (3, 6, 12, 0, 1),
    ]
    assert edges(weights)[1] == (1, 3, 6, 0, 4)
    (result,) = made.writes
    assert result.value == partial_name("c")
    assert edges(result)[1] == (1, 0, 8, 3, 6)
    # Each chip then adds up half of what the two chips of its column have.
    (read,), (total,) = own.total().reads, own.total().writes
    assert edges(read) == [
        (0, 0, 4, 0, 6),
        (1, 4, 8, 0, 6),
        (2, 8, 12, 0, 6),
        (3, 12, 16, 0, 6),
    ]
    assert [each[1:3] for each in edges(total)] == [each[1:3] for each in edges(read)]


def test_cells_are_made_of_four_gates_each() -> None:
    plan = planned("lstm:6", Grid(column=3, row=1))
    product = plan.workload.operators[0]
    assert isinstance(product, Matmul)
    made = OperatorRegions(plan, 1).chained(product)
    gates, cell = made.reads
    assert [each[1:3] for each in edges(gates)] == [(0, 8), (8, 16), (16, 24)]
    assert [each[1:3] for each in edges(cell)] == [(0, 2), (2, 4), (4, 6)]
    assert [each.value for each in made.writes] == ["cell'", "h'"]


def test_an_operator_on_every_chip_reads_and_makes_all() -> None:
    made = OperatorRegions(planned("mlp", Grid(column=2, row=1)), 0).vector()
    x, scale = made.reads
    assert edges(x) == [(0, 0, 16384, 0, 1), (1, 0, 16384, 0, 1)]
    assert edges(scale) == [(0, 0, 1, 0, 1024), (1, 0, 1, 0, 1024)]


def test_several_matrices_have_a_name_each() -> None:
    one = Tensor(name="w", role=Role.WEIGHTS, rows=2, columns=3)
    assert matrix_names(one) == ("w",)
    two = one.model_copy(update={"matrices": 2})
    assert matrix_names(two) == ("w[0]", "w[1]")

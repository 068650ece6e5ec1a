import numpy as np

from compiler.cost.graph_roofline import critical_path_bound, workload_bound
from compiler.cost.link_timing import hop_cycles
from sharding.operators.operators import Compute
from sharding.parallelism.grid import Grid
from sharding.workloads.workload_operators import workload_steps
from sharding.workloads.workload_plan import WorkloadPlan
from sharding.workloads.workload_planner import plan_workload
from specs.machine import MachineSpec, load_machine
from workloads.graphs.workload import load_workload

MACHINE = load_machine()


def planned(
    name: str, *, column: int = 1, row: int = 1, machine: MachineSpec = MACHINE
) -> WorkloadPlan:
    grid = Grid(column=column, row=row)
    chips = np.arange(grid.chips, dtype=np.int64)
    return plan_workload(load_workload(name), machine, grid, chips)


def roofline(plan: WorkloadPlan) -> int:
    return workload_bound(plan)


def test_a_single_product_on_one_chip_is_bound_by_its_own_cycles() -> None:
    plan = planned("gemm:40x50x60")
    (product,) = workload_steps(plan)
    assert isinstance(product, Compute)
    assert roofline(plan) == critical_path_bound(plan) == product.cycles.item()


def test_products_in_a_row_fill_the_matrix_unit_once() -> None:
    plan = planned("mlp")
    vector, first, second = workload_steps(plan)
    assert isinstance(vector, Compute)
    assert isinstance(first, Compute)
    assert isinstance(second, Compute)
    products = int(first.least_cycles.max() + second.least_cycles.max())
    assert roofline(plan) == products - MACHINE.chip.matmul_fill_cycles
    # The critical path fills it for each product, and starts with the vector operator.
    assert critical_path_bound(plan) == vector.cycles.item() + products


def test_weights_of_the_first_operator_are_not_loaded_ahead() -> None:
    plan = planned("gemm:640x3200x640")
    (product,) = workload_steps(plan)
    assert isinstance(product, Compute)
    assert product.least_cycles.item() < product.cycles.item() == roofline(plan)


def test_chips_that_communicate_need_one_hop_at_least() -> None:
    plan = planned("gemm:40x50x60:gathered", column=2)
    # Both chips take a round of FP16 tiles, 40 rows of two cycles; 2,400 bytes to the
    # leader are one vector a port.
    product = 230 + 52 + 40 * 2
    bound = product + hop_cycles(MACHINE, 1)
    assert roofline(plan) == critical_path_bound(plan) == bound


def test_an_exchange_keeps_all_ports_of_a_chip_busy() -> None:
    plan = planned("gemm:640x3200x640:gathered", column=2)
    # The leader receives 409,600 bytes: 1,280 vectors over 11 ports.
    exchange = hop_cycles(MACHINE, 117)
    # Ten tiles of 320 x 320 on a chip, two a round.
    product = 230 + 5 * (52 + 640 * 2)
    assert critical_path_bound(plan) == product + exchange

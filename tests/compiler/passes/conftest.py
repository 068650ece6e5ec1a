"""A workload that is planned on two stages of two chips."""

import numpy as np
import pytest

from sharding.parallelism.grid import Grid
from sharding.workloads.workload_plan import WorkloadPlan
from sharding.workloads.workload_planner import plan_workload
from specs.graph import Matmul, Role, Tensor
from specs.machine import load_machine
from workloads.graphs.workload import Workload


@pytest.fixture(scope="session")
def products() -> WorkloadPlan:
    """Return the plan of four products, 16 x 64 by 64 x 64 each: two in each stage."""
    names = [f"x{number}" for number in range(5)]
    roles = [Role.INPUT, *[Role.ACTIVATION] * 3, Role.OUTPUT]
    tensors = [
        Tensor(name=name, role=role, rows=16, columns=64)
        for name, role in zip(names, roles, strict=True)
    ]
    weights = [
        Tensor(name=f"w{number}", role=Role.WEIGHTS, rows=64, columns=64)
        for number in range(4)
    ]
    operators = [
        Matmul(name=f"p{n}", left=(names[n],), right=f"w{n}", output=names[n + 1])
        for n in range(4)
    ]
    workload = Workload("products", (*tensors, *weights), tuple(operators))
    grid = Grid(column=2, row=1, pipeline=2)
    return plan_workload(workload, load_machine(), grid, np.arange(4))

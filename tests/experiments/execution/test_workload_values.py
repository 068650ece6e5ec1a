import numpy as np
import pytest

from experiments.execution.workload_values import (
    engine_weights,
    graph_settings,
    own_weights,
    random_inputs,
)
from sharding.parallelism.grid import Grid
from sharding.workloads.workload_plan import WorkloadPlan
from sharding.workloads.workload_planner import plan_workload
from specs.errors import SpecError
from specs.graph import Lookup, Matmul, Role, Tensor
from specs.machine import load_machine
from workloads.graphs.workload import Workload, load_workload

MACHINE = load_machine()


def planned(workload: Workload) -> WorkloadPlan:
    chips = np.arange(1, dtype=np.int64)
    return plan_workload(workload, MACHINE, Grid(column=1, row=1), chips)


def test_columns_of_gates_are_stored_unit_after_unit() -> None:
    plan = planned(load_workload("lstm:2"))
    # Eight columns: two units of each of four gates.
    columns = np.tile(np.arange(8.0), (4, 1))
    (stored,) = engine_weights(plan, {"w": columns}).values()
    assert stored[0].tolist() == [0, 2, 4, 6, 1, 3, 5, 7]
    settings = graph_settings(plan)["gates"].graph
    assert settings is not None
    assert settings.blocks == 4
    assert settings.inputs == ("x", "h", "w")


def test_each_matrix_is_stored_alone_and_numbers_are_within_what_there_is() -> None:
    workload = Workload(
        "experts",
        (
            Tensor(name="at", role=Role.INPUT, rows=50, columns=1),
            Tensor(name="choice", role=Role.INPUT, rows=50, columns=2),
            Tensor(name="table", role=Role.WEIGHTS, rows=5, columns=3),
            Tensor(name="x", rows=50, columns=3),
            Tensor(name="w", role=Role.WEIGHTS, rows=3, columns=4, matrices=3),
            Tensor(name="y", role=Role.OUTPUT, rows=100, columns=4),
        ),
        (
            Lookup(name="embed", tables=("table",), index=("at",), output="x"),
            Matmul(
                name="p",
                left=("x",),
                right="w",
                output="y",
                chosen=2,
                choice="choice",
            ),
        ),
    )
    plan = planned(workload)
    stored = engine_weights(
        plan, {"table": np.zeros((5, 3)), "w": np.arange(36.0).reshape(9, 4)}
    )
    assert stored["w[1]"][0].tolist() == [12, 13, 14, 15]
    drawn = random_inputs(plan, seed=1, iteration=0)
    assert set(np.unique(drawn["at"])) == {0, 1, 2, 3, 4}
    assert set(np.unique(drawn["choice"])) == {0, 1, 2}
    assert (drawn["choice"][:, 0] != drawn["choice"][:, 1]).all()
    again = random_inputs(plan, seed=1, iteration=0)
    np.testing.assert_array_equal(drawn["at"], again["at"])
    other = random_inputs(plan, seed=1, iteration=1)
    assert (drawn["at"] != other["at"]).any()


def test_only_a_file_of_onnx_has_weights_of_its_own() -> None:
    assert own_weights("gemm:2x3x4") is None
    with pytest.raises(SpecError, match=r"no file nowhere.onnx"):
        own_weights("nowhere.onnx")

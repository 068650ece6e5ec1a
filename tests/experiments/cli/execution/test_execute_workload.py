"""Text and JSON of a workload that was executed with numbers."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from rich.console import Console

from experiments.cli.execution.execute_workload import (
    execute_workload,
    execution_report,
    execution_summary,
)
from experiments.execution.workload_execution import WorkloadExecution
from sharding.parallelism.grid import Grid
from sharding.workloads.workload_planner import plan_workload
from specs.errors import PlanError, SpecError
from specs.machine import load_machine
from specs.scenario import Scenario
from workloads.graphs.workload import load_workload


@pytest.fixture(scope="module")
def execution() -> WorkloadExecution:
    """Return an execution of an LSTM that was made up."""
    grid = Grid(column=2, row=1)
    plan = plan_workload(load_workload("lstm:8"), load_machine(), grid, np.arange(2))
    return WorkloadExecution(
        plan=plan,
        differences={"h": 2e-7, "cell": 3e-6},
        iterations=2,
        operations=1800,
        messages=12,
    )


def lines_of(execution: WorkloadExecution, tolerance: float) -> list[str]:
    console = Console(width=80, color_system=None)
    with console.capture() as printed:
        console.print(execution_report(execution, "node", tolerance, 0.125))
    return [" ".join(line.split()) for line in printed.get().splitlines()]


def test_the_summary_of_a_workload_has_the_difference_of_each_result(
    execution: WorkloadExecution,
) -> None:
    summary = execution_summary(execution, "node", 1e-5, 0.125)
    assert summary.pop("version")
    assert summary == {
        "schema": "groqrack-fabric/execution/1",
        "workload": "lstm:8",
        "topology": "node",
        "strategy": "column=2,row=1",
        "iterations": 2,
        "differences": {"h": 2e-7, "cell": 3e-6},
        "largest_difference": 3e-6,
        "tolerance": 1e-5,
        "agrees": True,
        "operations": 1800,
        "messages": 12,
        "wall_s": 0.125,
    }
    assert not execution_summary(execution, "node", 1e-6, 0.125)["agrees"]


def test_the_report_of_a_workload_says_which_state_differs(
    execution: WorkloadExecution,
) -> None:
    assert lines_of(execution, 1e-6) == [
        "workload lstm:8, random numbers",
        "chips node, column=2,row=1",
        "state h largest relative difference 2.0e-07, of 1e-06 allowed:",
        "agrees",
        "state cell largest relative difference 3.0e-06, of 1e-06 allowed:",
        "DIFFERS",
        "executed 2 iterations, 1,800 operations, 12 messages",
        "took 0.125 s",
    ]
    once = lines_of(replace(execution, iterations=1), 1e-5)
    assert "executed 1 iteration, 1,800 operations, 12 messages" in once
    assert "DIFFERS" not in once


def test_a_result_that_is_no_state_is_called_an_output() -> None:
    grid = Grid(column=1, row=1)
    plan = plan_workload(
        load_workload("gemm:4x4x4"), load_machine(), grid, np.arange(1)
    )
    made = WorkloadExecution(
        plan=plan, differences={"c": 0.0}, iterations=1, operations=1, messages=0
    )
    assert lines_of(made, 0.0)[2].startswith("output c largest relative difference")


def test_a_workload_is_executed_printed_and_judged_by_its_tolerance(
    capsys: pytest.CaptureFixture[str],
) -> None:
    scenario = Scenario(
        workload="gemm:6x5x4", chips=2, strategy="column=2,row=1", tokens=3
    )
    assert execute_workload(scenario, 1e-5, as_json=True)
    said = json.loads(capsys.readouterr().out)
    assert (said["iterations"], said["agrees"]) == (3, True)
    assert 0 < said["largest_difference"] < 1e-5
    assert not execute_workload(scenario, 1e-12)
    assert "DIFFERS" in capsys.readouterr().out


def test_a_workload_on_too_many_chips_is_refused_before_it_is_planned() -> None:
    with pytest.raises(PlanError, match="80 chips are too many"):
        execute_workload(Scenario(workload="gemm:8x8x8", chips=80), 1e-5)


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """Return an ONNX file of a product."""
    shape = {"x": (2, 3), "y": (2, 4)}
    given, made = (
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, size)
        for name, size in shape.items()
    )
    weights = numpy_helper.from_array(np.arange(12, dtype=np.float32), "flat")
    shaped = numpy_helper.from_array(np.array([3, 4]), "shape")
    nodes = [
        helper.make_node("Reshape", ["flat", "shape"], ["w"]),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
    ]
    graph = helper.make_graph(nodes, "it", [given], [made], [weights, shaped])
    versions = [helper.make_opsetid("", 21)]
    path = tmp_path / "network.onnx"
    onnx.save_model(helper.make_model(graph, opset_imports=versions), path)
    return path


def test_a_network_is_executed_with_the_weights_of_its_file(
    network: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenario = Scenario(workload=str(network), chips=2, tokens=1)
    assert execute_workload(scenario, 1e-5)
    assert "network, weights of the file" in capsys.readouterr().out


def test_weights_that_are_in_another_file_are_not_executed(network: Path) -> None:
    model = onnx.load_model(network)
    model.graph.initializer[0].ClearField("raw_data")
    model.graph.initializer[0].data_location = onnx.TensorProto.EXTERNAL
    model.graph.initializer[0].external_data.add(key="location", value="far.bin")
    onnx.save_model(model, network)
    with pytest.raises(SpecError, match=r"of flat are in the file far.bin, which is"):
        execute_workload(Scenario(workload=str(network), chips=2, tokens=1), 1e-5)

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chip.dataflow import Value
from compiler.compile_graph import compile_workload
from compiler.ir.schedule import WorkloadSchedule
from compiler.verify import verify
from experiments.execution.workload_execution import (
    check_workload,
    everywhere,
    run_workload_execution,
)
from sharding.parallelism.grid import Grid
from sharding.workloads.workload_planner import plan_workload
from specs.errors import PlanError, SpecError, VerificationError
from specs.graph import Lookup, Matmul, Operator, Role, Tensor, Vector
from specs.machine import load_machine
from specs.vector_functions import VectorFunction
from topologies.selection import select_topology
from workloads.graphs.workload import Workload, load_workload

MACHINE = load_machine()
NODE, RACK = select_topology(8), select_topology(72)
TOLERANCE = 1e-5
SIDES = st.integers(6, 40)
GRIDS = st.sampled_from([(1, 1), (3, 1), (1, 3), (2, 2), (6, 1), (1, 6), (2, 4)])


def scheduled(
    workload: Workload, grid: tuple[int, int], pipeline: int = 1
) -> WorkloadSchedule:
    column, row = grid
    split = Grid(column=column, row=row, pipeline=pipeline)
    wired = NODE if split.chips <= NODE.chips else RACK
    chips = wired.active.astype(np.int64)
    schedule = compile_workload(plan_workload(workload, MACHINE, split, chips), wired)
    verify(schedule.program, wired, MACHINE, plan=schedule.plan)
    return schedule


def largest_difference(
    workload: Workload, grid: tuple[int, int], pipeline: int = 1
) -> float:
    schedule = scheduled(workload, grid, pipeline)
    execution = run_workload_execution(schedule.plan, schedule.program, iterations=2)
    return execution.difference


def attention() -> Workload:
    """Return an embedding, products in pairs, a gate and experts that rows choose."""
    weights, data = Role.WEIGHTS, Role.INPUT
    tensors = (
        Tensor(name="tokens", role=data, rows=6, columns=1),
        Tensor(name="places", role=data, rows=6, columns=1),
        Tensor(name="table", role=weights, rows=9, columns=8),
        Tensor(name="positions", role=weights, rows=7, columns=8),
        Tensor(name="embedded", rows=6, columns=8),
        Tensor(name="queries", rows=2, columns=8, matrices=3),
        Tensor(name="keys", role=Role.STATE, rows=8, columns=5, matrices=3),
        Tensor(name="scores", rows=2, columns=5, matrices=3),
        Tensor(name="scaled", rows=2, columns=5, matrices=3),
        Tensor(name="scale", role=data, rows=1, columns=1),
        Tensor(name="shares", rows=6, columns=5),
        Tensor(name="norm", role=weights, rows=1, columns=5),
        Tensor(name="bias", role=weights, rows=1, columns=5),
        Tensor(name="normed", rows=6, columns=5),
        Tensor(name="w_in", role=weights, rows=5, columns=24),
        Tensor(name="inward", rows=6, columns=24),
        Tensor(name="gated", rows=6, columns=12),
        Tensor(name="choice", role=data, rows=6, columns=2),
        Tensor(name="w_out", role=weights, rows=12, columns=7, matrices=3),
        Tensor(name="out", rows=12, columns=7),
        Tensor(name="out_bias", role=weights, rows=1, columns=7),
        Tensor(name="result", role=Role.OUTPUT, rows=12, columns=7, gathered=True),
    )

    def vector(
        name: str, function: VectorFunction, *inputs: str, chained: bool = False
    ) -> Vector:
        return Vector(
            name=name,
            inputs=inputs,
            outputs=(name,),
            function=function,
            chained=chained,
        )

    operators: tuple[Operator, ...] = (
        Lookup(
            name="embed",
            tables=("table", "positions"),
            index=("tokens", "places"),
            output="embedded",
        ),
        vector("queries", VectorFunction.TANH, "embedded"),
        Matmul(name="scores", left=("queries",), right="keys", output="scores"),
        vector("scaled", VectorFunction.MULTIPLY, "scores", "scale", chained=True),
        vector("shares", VectorFunction.SOFTMAX, "scaled"),
        vector("normed", VectorFunction.LAYER_NORM, "shares", "norm", "bias"),
        Matmul(name="inward", left=("normed",), right="w_in", output="inward"),
        vector("gated", VectorFunction.SWIGLU, "inward", chained=True),
        Matmul(
            name="out",
            left=("gated",),
            right="w_out",
            output="out",
            chosen=2,
            choice="choice",
        ),
        vector("result", VectorFunction.ADD, "out", "out_bias", chained=True),
    )
    return Workload("attention", tensors, operators)


@given(SIDES, SIDES, SIDES, GRIDS, st.sampled_from(["", ":gathered", ":int4"]))
@settings(max_examples=20, deadline=None)
def test_any_split_of_a_product_computes_it(
    rows: int, inner: int, columns: int, grid: tuple[int, int], option: str
) -> None:
    workload = load_workload(f"gemm:{rows}x{inner}x{columns}{option}")
    assert largest_difference(workload, grid) < TOLERANCE


@given(SIDES, GRIDS, st.integers(1, 3))
@settings(max_examples=15, deadline=None)
def test_any_split_of_an_lstm_carries_its_states(
    hidden: int, grid: tuple[int, int], batch: int
) -> None:
    workload = load_workload(f"lstm:{hidden}").batched(batch)
    assert largest_difference(workload, grid) < TOLERANCE


@pytest.mark.parametrize("grid", [(1, 1), (2, 1), (1, 2), (3, 2), (7, 1), (2, 4)])
def test_every_kind_of_operator_is_computed_in_any_split(grid: tuple[int, int]) -> None:
    assert largest_difference(attention(), grid) < TOLERANCE


@pytest.mark.parametrize("grid", [(1, 1), (2, 1), (1, 3), (3, 2)])
@pytest.mark.parametrize("pipeline", [2, 3, 5])
def test_every_kind_of_operator_is_computed_in_stages(
    grid: tuple[int, int], pipeline: int
) -> None:
    assert largest_difference(attention(), grid, pipeline) < TOLERANCE


def test_a_state_is_what_the_iteration_before_has_left() -> None:
    schedule = scheduled(load_workload("lstm:8"), (2, 1))
    one, three = (
        run_workload_execution(schedule.plan, schedule.program, iterations=count)
        for count in (1, 3)
    )
    assert three.operations == 3 * one.operations
    assert three.differences.keys() == {"h", "cell"}


def test_a_chip_that_lacks_what_it_reads_is_named() -> None:
    schedule = scheduled(load_workload("lstm:8"), (2, 1))
    flow = schedule.program.dataflow
    assert flow is not None
    # The hidden state is made and not sent.
    kept = flow.carried.owner < 0
    carried = replace(
        flow.carried,
        **{name: getattr(flow.carried, name)[kept] for name in flow.carried.__slots__},
    )
    program = replace(schedule.program, dataflow=replace(flow, carried=carried))
    with pytest.raises(VerificationError, match=r"gates on chip \d .* reads h, but"):
        run_workload_execution(schedule.plan, program, iterations=2)


def test_what_is_no_number_agrees_with_nothing() -> None:
    roots = Workload(
        "roots",
        (
            Tensor(name="x", role=Role.INPUT, rows=2, columns=8),
            Tensor(name="y", role=Role.OUTPUT, rows=2, columns=8),
        ),
        (
            Vector(
                name="root",
                inputs=("x",),
                outputs=("y",),
                function=VectorFunction.SQRT,
            ),
        ),
    )
    schedule = scheduled(roots, (1, 1))
    given = {"x": np.linspace(1, 4, 16).reshape(2, 8)}
    execution = run_workload_execution(schedule.plan, schedule.program, inputs=given)
    assert execution.agrees(TOLERANCE)
    given["x"][0, 0] = np.nan
    execution = run_workload_execution(schedule.plan, schedule.program, inputs=given)
    assert not execution.agrees(TOLERANCE)


def test_an_operator_without_a_function_is_refused_with_the_way_out() -> None:
    mlp = load_workload("mlp")
    operators = tuple(
        each.model_copy(update={"function": None}) if each.name == "norm" else each
        for each in mlp.operators
    )
    schedule = scheduled(Workload("mlp", mlp.tensors, operators), (2, 1))
    with pytest.raises(SpecError, match=r"mlp: norm does not say .* give it a funct"):
        run_workload_execution(schedule.plan, schedule.program)


def test_a_workload_of_many_elements_is_refused() -> None:
    schedule = scheduled(load_workload("gemm:8000x8000x80"), (8, 1))
    with pytest.raises(PlanError, match=r"has 65,280,000 elements .* use smaller"):
        run_workload_execution(schedule.plan, schedule.program)


@pytest.mark.parametrize(
    ("name", "changes", "unread", "message"),
    [
        ("out", {"choice": None}, "choice", "2 matrices of w_out and does not say wh"),
        ("embed", {"index": ("tokens",)}, "places", "looks up 2 tables at .* of 1 ten"),
        ("shares", {"function": None}, "", "shares does not say what it computes"),
    ],
)
def test_what_does_not_say_what_it_computes_is_not_executed(
    name: str, changes: dict[str, object], unread: str, message: str
) -> None:
    whole = attention()
    check_workload(whole, 72)
    operators = tuple(
        each.model_copy(update=changes) if each.name == name else each
        for each in whole.operators
    )
    tensors = tuple(each for each in whole.tensors if each.name != unread)
    with pytest.raises(SpecError, match=f"attention: .*{message}"):
        check_workload(Workload("attention", tensors, operators), 1)


def test_more_chips_than_a_rack_are_not_executed() -> None:
    with pytest.raises(PlanError, match=r"73 chips are too many .* --chips 72"):
        check_workload(attention(), 73)


def test_a_value_is_on_every_chip_in_the_order_that_its_program_counts() -> None:
    plan = scheduled(load_workload("lstm:4").batched(2), (2, 1)).plan
    state = np.arange(8.0).reshape(2, 4)
    placed = everywhere(plan, {"h": state}, np.dtype(np.float32))
    assert placed.keys() == {Value("h", 0)}
    by_chip = placed[Value("h", 0)]
    assert sorted(by_chip) == plan.chips.tolist() == [0, 1]
    for held in by_chip.values():
        # Column after column, of two rows.
        assert held.tolist() == [0, 4, 1, 5, 2, 6, 3, 7]
        assert held.dtype == np.float32


def test_numbers_of_rows_stay_integers() -> None:
    plan = scheduled(attention(), (1, 1)).plan
    tokens = np.arange(6)[:, None]
    (by_chip,) = everywhere(plan, {"tokens": tokens}, np.dtype(np.float32)).values()
    assert by_chip[0].tolist() == [0, 1, 2, 3, 4, 5]
    assert by_chip[0].dtype == tokens.dtype

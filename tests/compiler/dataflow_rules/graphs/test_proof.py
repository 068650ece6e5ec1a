"""A program of a graph that was tampered with, and what refuses it."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from chip.dataflow import Dataflow, Function, Regions
from chip.operator_work import ProductWork, Shape, VectorWork
from chip.program import Opcode, OperatorKind, Program
from compiler.compile_graph import compile_workload
from compiler.dataflow_rules.graphs.proof import graph_checks
from compiler.ir.schedule import WorkloadSchedule
from compiler.verify import verify
from sharding.parallelism.grid import Grid
from sharding.weights.slice_table import SliceTable
from sharding.workloads.workload_planner import plan_workload
from specs.errors import VerificationError
from specs.graph import Lookup, Matmul, Role, Tensor, Vector
from specs.machine import load_machine
from topologies.selection import select_topology
from workloads.graphs.workload import Workload, load_workload

# Clocks that do not drift need no deskews, so that their rules catch nothing.
MACHINE = load_machine().with_settings({"clock.model": "ideal"})
NODE = select_topology(8)


def scheduled(
    workload: Workload, grid: Grid, machine: Any = MACHINE
) -> WorkloadSchedule:
    chips = NODE.active.astype(np.int64)
    return compile_workload(plan_workload(workload, machine, grid, chips), NODE)


@cache
def lstm() -> WorkloadSchedule:
    return scheduled(load_workload("lstm:16"), Grid(column=2, row=2))


@cache
def mlp() -> WorkloadSchedule:
    return scheduled(load_workload("mlp"), Grid(column=2, row=1))


def refused(schedule: WorkloadSchedule, program: Program) -> str:
    with pytest.raises(VerificationError) as error:
        verify(program, NODE, MACHINE, plan=schedule.plan)
    return str(error.value)


def flow_of(program: Program) -> Dataflow:
    assert program.dataflow is not None
    return program.dataflow


def with_flow(program: Program, **tables: Any) -> Program:
    return replace(program, dataflow=replace(flow_of(program), **tables))


def edited(regions: Regions, row: int, **columns: int) -> Regions:
    changed = {name: getattr(regions, name).copy() for name in columns}
    for name, value in columns.items():
        changed[name][row] = value
    return replace(regions, **changed)


def region(flow: Dataflow, regions: Regions, value: str, number: int = 0) -> int:
    values = [n for n, each in enumerate(flow.values) if each.name == value]
    return int(np.flatnonzero(np.isin(regions.value, values))[number])


def with_work(program: Program, kind: type, **fields: Any) -> Program:
    """Return a program in which the first work of a kind is another one."""
    kinds = list(program.kinds)
    place = next(n for n, each in enumerate(kinds) if isinstance(each.work, kind))
    kinds[place] = OperatorKind(
        kinds[place].work._replace(**fields), kinds[place].steps
    )
    return replace(program, kinds=tuple(kinds))


def test_a_certificate_says_that_the_graph_is_computed() -> None:
    checks = verify(lstm().program, NODE, MACHINE, plan=lstm().plan).checks
    assert checks["every part of every operator is computed once"] == 2
    assert checks["chips have what they read and send, once"] > 0


def test_a_program_of_two_marks_is_refused() -> None:
    program = lstm().program
    code = program.instructions
    rows = np.flatnonzero(code.opcode == Opcode.MARK)
    marks = replace(
        code, **{name: getattr(code, name)[rows] for name in code.__slots__}
    )
    trains = replace(
        program.trains,
        **{
            name: getattr(program.trains, name)[:0] for name in program.trains.__slots__
        },
    )
    empty = replace(program, instructions=marks, trains=trains, dataflow=None)
    message = refused(lstm(), empty)
    assert "it states nothing that it computes, and the 2 operators of lstm" in message


def test_a_region_is_of_the_weights_that_were_multiplied() -> None:
    flow = flow_of(lstm().program)
    row = region(flow, flow.writes, "gates (partial)")
    shifted = edited(
        flow.writes, row, first=flow.writes.first[row] + 4, last=flow.writes.last[row]
    )
    message = refused(lstm(), with_flow(lstm().program, writes=shifted))
    assert "another result than that of the weights that it reads" in message


def test_a_sum_has_all_its_parts() -> None:
    flow = flow_of(lstm().program)
    total = np.flatnonzero(flow.operations.function == Function.TOTAL)
    row = int(np.flatnonzero(flow.reads.owner == total[0])[0])
    fewer = edited(flow.reads, row, part_first=1)
    message = refused(lstm(), with_flow(lstm().program, reads=fewer))
    assert "does not add all parts of what it makes, once" in message


def test_the_gates_of_a_unit_are_not_parted() -> None:
    flow = flow_of(lstm().program)
    total = int(np.flatnonzero(flow.operations.function == Function.TOTAL)[0])
    parted = {
        name: edited(
            getattr(flow, name),
            row,
            last=getattr(flow, name).last[row] - 1,
        )
        for name in ("reads", "writes")
        for row in np.flatnonzero(getattr(flow, name).owner == total).tolist()
    }
    message = refused(lstm(), with_flow(lstm().program, **parted))
    assert "parts elements of which a function takes all" in message


def test_a_cell_is_made_of_the_gates_in_its_place() -> None:
    flow = flow_of(lstm().program)
    row = region(flow, flow.reads, "cell")
    # The cells of another chip.
    other = region(flow, flow.reads, "cell", 1)
    moved = edited(
        flow.reads, row, first=flow.reads.first[other], last=flow.reads.last[other]
    )
    message = refused(lstm(), with_flow(lstm().program, reads=moved))
    assert "does not read elements 0 to 3 of cell" in message


def test_a_state_is_left_where_the_next_iteration_reads_it() -> None:
    flow = flow_of(lstm().program)
    row = region(flow, flow.carried, "h'")
    message = refused(
        lstm(),
        with_flow(
            lstm().program,
            carried=edited(flow.carried, row, last=flow.carried.last[row] - 1),
        ),
    )
    assert "is not as long as what it carries" in message
    # The hidden state under another name is sent in full, and is no hidden state.
    value = next(n for n, each in enumerate(flow.values) if each.name == "cell'")
    renamed = replace(
        flow.carried, value=np.full(len(flow.carried), value, dtype=np.int32)
    )
    carried = refused(lstm(), with_flow(lstm().program, carried=renamed))
    assert "not as long as what it carries" in carried


def test_an_operator_that_no_chip_executes_is_missed() -> None:
    flow = flow_of(mlp().program)
    named = list(flow.names)
    last = named.index("down")
    own = np.flatnonzero(flow.operations.name != last)
    program = mlp().program
    operators = flow.operations.operator[flow.operations.name == last]
    code = program.instructions
    kept = np.flatnonzero(~np.isin(code.operator, operators) | (code.train >= 0))
    gone = replace(
        flow,
        operations=replace(
            flow.operations,
            **{
                name: getattr(flow.operations, name)[own]
                for name in flow.operations.__slots__
            },
        ),
        reads=_of_owners(flow.reads, own),
        writes=_of_owners(flow.writes, own),
    )
    left = replace(
        program,
        dataflow=gone,
        instructions=replace(
            code, **{name: getattr(code, name)[kept] for name in code.__slots__}
        ),
    )
    with pytest.raises(VerificationError, match="do not compute each element of y"):
        _computed(left, mlp())


def _of_owners(regions: Regions, owners: np.ndarray) -> Regions:
    place = np.full(int(regions.owner.max()) + 1, -1)
    place[owners] = np.arange(len(owners))
    rows = np.flatnonzero(place[regions.owner] >= 0)
    chosen = {name: getattr(regions, name)[rows] for name in regions.__slots__}
    chosen["owner"] = place[chosen["owner"]].astype(np.int32)
    return replace(regions, **chosen)


def test_weights_are_read_where_the_plan_puts_them() -> None:
    table = mlp().plan.slice_table
    columns = {**table.columns, "chip": 1 - table.columns["chip"]}
    plan = replace(mlp().plan)
    plan.__dict__["slice_table"] = SliceTable(table.names, columns)
    with pytest.raises(VerificationError, match="which the plan does not give it"):
        verify(mlp().program, NODE, MACHINE, plan=plan)


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (ProductWork, {"input_bytes": 0}, "moves fewer bytes than its vectors have"),
        (ProductWork, {"rows": 1}, "multiplies more or less than its regions"),
        (
            ProductWork,
            {"shape": Shape((2048,), (1024,))},
            "installs other matrices than those it reads",
        ),
        (ProductWork, {"chain": None}, "is work of another kind"),
        (VectorWork, {"passes": 1}, "takes fewer passes over what it reads"),
        (VectorWork, {"operations": 1}, "fewer operations than its function takes"),
        (VectorWork, {"operands": 1}, "reads fewer vectors at once than it has terms"),
        (VectorWork, {"element_bits": 8}, "takes elements of fewer bits"),
    ],
)
def test_an_instruction_does_the_work_of_its_operation(
    kind: type, fields: dict[str, Any], message: str
) -> None:
    program = with_work(mlp().program, kind, **fields)
    with pytest.raises(VerificationError) as error:
        _computed(program, mlp())
    assert message in str(error.value)


@pytest.mark.parametrize("vectors", [0, -1, 1 << 20])
def test_elements_are_not_more_vectors_or_none(vectors: int) -> None:
    program = with_work(mlp().program, VectorWork, vectors=vectors)
    assert f"elements are not {vectors} vectors" in refused(mlp(), program)


def _computed(program: Program, schedule: WorkloadSchedule) -> None:
    """Check what a program computes, whatever its slices do."""
    graph_checks(program, NODE, schedule.plan)


@pytest.mark.parametrize("field", ["weights", "kv_cache", "activations", "program"])
def test_memory_is_what_the_plan_needs(field: str) -> None:
    program = lstm().program
    less = program.resident._replace(**{field: getattr(program.resident, field) // 2})
    with pytest.raises(VerificationError, match="memory is stated as less than it is"):
        _computed(replace(program, resident=less), lstm())


def test_a_gathered_output_is_on_the_first_chip() -> None:
    schedule = scheduled(load_workload("gemm:8x8x8:gathered"), Grid(column=2, row=1))
    ungathered = scheduled(load_workload("gemm:8x8x8"), Grid(column=2, row=1))
    with pytest.raises(VerificationError, match="does not have each of the 64 elem"):
        _computed(ungathered.program, schedule)


def test_a_function_that_is_not_known_is_proven_by_its_regions() -> None:
    workload = load_workload("mlp")
    opaque = Workload(
        "opaque",
        workload.tensors,
        tuple(
            each.model_copy(update={"function": None, "passes": 1})
            if isinstance(each, Vector)
            else each
            for each in workload.operators
        ),
    )
    for grid in (Grid(column=2, row=1), Grid(column=2, row=3)):
        schedule = scheduled(opaque, grid)
        verify(schedule.program, NODE, MACHINE, plan=schedule.plan)


def test_a_program_of_another_workload_is_refused() -> None:
    other = scheduled(load_workload("gemm:16x16x16"), Grid(column=2, row=2))
    message = refused(lstm(), other.program)
    assert "it states a value a, which is not in the graph" in message


@pytest.mark.parametrize("columns", [7, 8])
def test_shards_of_half_bytes_take_whole_ones(columns: int) -> None:
    workload = load_workload(f"gemm:3x5x{columns}:int4:gathered")
    tensors = tuple(
        each.model_copy(update={"format": workload.by_name["a"].format})
        for each in workload.tensors
    )
    schedule = scheduled(
        Workload("half bytes", tensors, workload.operators), Grid(column=3, row=2)
    )
    verify(schedule.program, NODE, MACHINE, plan=schedule.plan)


def test_lookups_and_pairs_are_proven() -> None:
    tensors = (
        Tensor(name="table", role=Role.WEIGHTS, rows=9, columns=8),
        Tensor(name="queries", rows=2, columns=8, matrices=6),
        Tensor(name="keys", role=Role.STATE, rows=8, columns=5, matrices=6),
        Tensor(name="scores", role=Role.OUTPUT, rows=2, columns=5, matrices=6),
    )
    operators = (
        Lookup(name="embed", tables=("table",), output="queries"),
        Matmul(name="scores", left=("queries",), right="keys", output="scores"),
    )
    schedule = scheduled(Workload("pairs", tensors, operators), Grid(column=4, row=1))
    verify(schedule.program, NODE, MACHINE, plan=schedule.plan)
    flow = flow_of(schedule.program)
    row = region(flow, flow.reads, "keys")
    fewer = edited(flow.reads, row, last=flow.reads.last[row] - 1)
    message = refused(schedule, with_flow(schedule.program, reads=fewer))
    assert "does not read elements" in message

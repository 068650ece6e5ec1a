"""Small programs of graphs, altered in one place, to see which rule refuses what."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest

from chip.dataflow import Dataflow
from chip.program import Instructions, Opcode, OperatorKind, Program
from compiler.compile_graph import compile_workload
from compiler.dataflow_rules.graphs.stated import GraphFacts
from compiler.dataflow_rules.statements import Statements
from experiments.sabotage.program_edits import with_rows
from sharding.parallelism.grid import Grid
from sharding.workloads.workload_plan import WorkloadPlan
from sharding.workloads.workload_planner import plan_workload
from specs.element_view import Axis, Loop, View
from specs.errors import VerificationError
from specs.formats import Format
from specs.graph import Lookup, Matmul, Role, Tensor, Vector
from specs.machine import load_machine
from specs.vector_functions import VectorFunction
from topologies.selection import select_topology
from workloads.graphs.graph_of_workload import graph_of_workload
from workloads.graphs.workload import Workload, load_workload


class StatedGraph(NamedTuple):
    """Program of an iteration of a graph, with the plan that it follows."""

    program: Program
    plan: WorkloadPlan

    @property
    def flow(self) -> Dataflow:
        assert self.program.dataflow is not None
        return self.program.dataflow

    @property
    def facts(self) -> GraphFacts:
        graph = graph_of_workload(self.plan.workload).graph
        return GraphFacts(self.plan, Statements(self.program, graph, 1))

    def stating(self, **tables: object) -> "StatedGraph":
        """Return the same with other tables of the dataflow."""
        flow = replace(self.flow, **tables)  # type: ignore[arg-type]
        return self._replace(program=replace(self.program, dataflow=flow))

    def working(self, operation: int, **fields: Any) -> "StatedGraph":
        """Return the same with an operation whose instructions do other work."""
        table, code = self.flow.operations, self.program.instructions
        rows = (code.operator == table.operator[operation]) & (code.kind >= 0)
        # What is loaded ahead of it stays.
        rows &= code.opcode != Opcode.LOAD
        rows &= code.chip == table.chip[operation]
        work = self.program.kinds[int(code.kind[rows][0])].work._replace(**fields)
        kinds = (*self.program.kinds, OperatorKind(work, ()))
        changed = with_rows(code, np.flatnonzero(rows), kind=len(kinds) - 1)
        return self._replace(program=replace(self.program, kinds=kinds)).executing(
            changed
        )

    def executing(self, code: Instructions) -> "StatedGraph":
        """Return the same with other instructions."""
        return self._replace(program=replace(self.program, instructions=code))


def _tensor(
    name: str, rows: int, columns: int, role: str = "", **fields: Any
) -> Tensor:
    own = Role(role) if role else Role.ACTIVATION
    return Tensor(name=name, rows=rows, columns=columns, role=own, **fields)


def _pairs() -> Workload:
    """Return a lookup of queries, and their products with keys in six pairs."""
    return Workload(
        "pairs",
        (
            _tensor("table", 9, 8, "weights"),
            _tensor("number", 12, 1, "input"),
            _tensor("queries", 2, 8, matrices=6),
            _tensor("keys", 8, 5, "state", matrices=6),
            _tensor("scores", 2, 5, "output", matrices=6),
        ),
        (
            Lookup(
                name="embed", tables=("table",), index=("number",), output="queries"
            ),
            Matmul(name="score", left=("queries",), right="keys", output="scores"),
        ),
    )


def _experts() -> Workload:
    """Return a product with two of four matrices for each of two rows."""
    return Workload(
        "experts",
        (
            _tensor("x", 2, 8, "input"),
            _tensor("choice", 2, 2, "input"),
            _tensor("w", 8, 6, "weights", matrices=4),
            _tensor("h", 4, 6, "output"),
        ),
        (
            Matmul(
                name="up", left=("x",), right="w", output="h", chosen=2, choice="choice"
            ),
        ),
    )


def _rows() -> Workload:
    """Return a norm before a product, and a softmax behind it."""
    return Workload(
        "rows",
        (
            _tensor("x", 2, 8, "input"),
            _tensor("scale", 1, 8, "weights"),
            _tensor("n", 2, 8),
            _tensor("w", 8, 6, "weights"),
            _tensor("h", 2, 6),
            _tensor("p", 2, 6, "output"),
        ),
        (
            Vector(
                name="norm",
                inputs=("x", "scale"),
                outputs=("n",),
                function=VectorFunction.RMS_NORM,
            ),
            Matmul(name="up", left=("n",), right="w", output="h"),
            Vector(
                name="softmax",
                inputs=("h",),
                outputs=("p",),
                function=VectorFunction.SOFTMAX,
            ),
        ),
    )


def _chain(function: VectorFunction | None) -> Workload:
    """Return a product, and a function of it and an input chained to it."""
    return Workload(
        "chain",
        (
            _tensor("x", 2, 8, "input"),
            _tensor("r", 2, 6, "input"),
            _tensor("w", 8, 6, "weights"),
            _tensor("h", 2, 6),
            _tensor("y", 2, 6, "output", gathered=True),
        ),
        (
            Matmul(name="up", left=("x",), right="w", output="h"),
            Vector(
                name="join",
                inputs=("h", "r"),
                outputs=("y",),
                function=function,
                chained=True,
            ),
        ),
    )


def _moved() -> Workload:
    """Return the windows of a picture of four places, and the largest of each."""
    windows = View(
        loops=(Loop(size=4, stride=1, axis=0), Loop(size=3, stride=1, axis=0)),
        axes=(Axis(size=4, stride=1, start=-1),),
    )
    return Workload(
        "moved",
        (
            _tensor("x", 1, 4, "input"),
            _tensor("taken", 4, 3),
            _tensor("y", 1, 4, "output"),
        ),
        (
            Vector(
                name="windows",
                inputs=("x",),
                outputs=("taken",),
                function=VectorFunction.REARRANGE,
                views=(windows,),
            ),
            Vector(
                name="largest",
                inputs=("taken",),
                outputs=("y",),
                function=VectorFunction.REDUCE_MAX,
            ),
        ),
    )


def _half_bytes() -> Workload:
    """Return a product whose operands and result have four bits."""
    workload = load_workload("gemm:3x5x7:int4:gathered")
    tensors = tuple(
        each.model_copy(update={"format": Format.INT4}) for each in workload.tensors
    )
    return Workload("half bytes", tensors, workload.operators)


_GRAPHS: dict[str, tuple[Callable[[], Workload], Grid]] = {
    # Rows of the weights on two chips, columns on two: partial sums of four gates.
    "lstm": (lambda: load_workload("lstm:16"), Grid(column=2, row=2)),
    "pairs": (_pairs, Grid(column=4, row=1)),
    "experts": (_experts, Grid(column=2, row=2)),
    "rows": (_rows, Grid(column=2, row=1)),
    "sum": (lambda: _chain(VectorFunction.ADD), Grid(column=2, row=1)),
    "unknown": (lambda: _chain(None), Grid(column=2, row=1)),
    "gathered": (lambda: load_workload("gemm:8x8x8:gathered"), Grid(column=2, row=2)),
    "three parts": (lambda: load_workload("gemm:2x9x4"), Grid(column=1, row=3)),
    "half inputs": (lambda: load_workload("gemm:3x5x7:int4"), Grid(column=3, row=2)),
    "moved": (_moved, Grid(column=2, row=1)),
    "half bytes": (_half_bytes, Grid(column=3, row=2)),
}


@cache
def _graph(name: str) -> StatedGraph:
    make, grid = _GRAPHS[name]
    # Clocks that do not drift need no deskews, so that their rules catch nothing.
    machine = load_machine().with_settings({"clock.model": "ideal"})
    node = select_topology(8)
    plan = plan_workload(make(), machine, grid, node.active.astype(np.int64))
    return StatedGraph(compile_workload(plan, node).program, plan)


@pytest.fixture(scope="session")
def graph() -> Callable[[str], StatedGraph]:
    """Return a valid program of a small graph: of an ``lstm``, and of others."""
    return _graph


Changed = Callable[..., tuple[Any, str]]


@pytest.fixture(scope="session")
def changed(edited: Callable[..., tuple[Any, int]]) -> Changed:
    """Return a program with statements altered, and the place of the first of them."""

    def change(name: str, *edits: Any) -> tuple[Any, str]:
        program: Any = _graph(name)
        owners = []
        for edit in edits:
            program, owner = edited(program, edit)
            owners.append(owner)
        table = program.flow.operations
        operator = program.flow.names[table.name[owners[0]]]
        return program, f"{operator} on chip {table.chip[owners[0]]} (cycle "

    return change


@pytest.fixture(scope="session")
def graph_refusal(changed: Changed) -> Callable[..., str]:
    """Return why a rule refuses a program of a graph that is altered.

    The message must name the operator, the chip, the cycle and the columns.
    """

    def refuse(rule: Callable[[GraphFacts], Any], name: str, *edits: Any) -> str:
        rule(_graph(name).facts)
        program, where = changed(name, *edits)
        with pytest.raises(VerificationError) as error:
            rule(program.facts)
        before, _, why = str(error.value).partition(where)
        assert why, f"{where} is not in {before}"
        assert re.match(r"\d+\)(, which makes columns \d+ to \d+ of |: )", why)
        return why.partition(": ")[2]

    return refuse

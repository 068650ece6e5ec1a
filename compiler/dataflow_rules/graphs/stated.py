"""Stated operations of a graph's program, with the facts of the graph beside them.

For `compiler.verify`; independent of the code that makes programs.
"""

from functools import cached_property
from typing import NamedTuple, final

import numpy as np

from chip.dataflow import Dataflow, Function, Regions
from chip.element_numbering import Numbering
from compiler.dataflow_rules.statements import Statements
from sharding.workloads.workload_plan import WorkloadPlan
from specs.arrays import Ints
from specs.errors import VerificationError
from specs.graph import Operator, Role, Tensor
from workloads.graphs.graph_of_workload import graph_of_workload
from workloads.graphs.numberings import numberings
from workloads.operators import GraphOperator

_PARTIAL = " (partial)"


class Region(NamedTuple):
    """Region, for dataflow rules: ranges of columns and of parts, ends exclusive."""

    first: int
    last: int
    part_first: int
    part_last: int

    @property
    def complete(self) -> bool:
        """Return, for dataflow rules, whether it is of a complete value."""
        return (self.part_first, self.part_last) == (0, 1)

    def covers(self, first: int, last: int) -> bool:
        """Return, for dataflow rules, whether it has a range of complete columns."""
        return self.complete and self.first <= first and last <= self.last


class StatedOperation(NamedTuple):
    """Operation that a program of a graph states.

    Attributes
    ----------
    number, operator, chip
        Row of the operation, and the operator and chip of its instruction.
    name, function
        Operator of the graph, and what it states to compute.
    reads, writes
        Regions by the name of the value.
    """

    number: int
    operator: int
    chip: int
    name: str
    function: Function
    reads: dict[str, list[Region]]
    writes: dict[str, list[Region]]


def stated_operations(flow: Dataflow) -> list[StatedOperation]:
    """Return the operations of a dataflow with their regions, for dataflow rules."""
    table = flow.operations
    reads = _by_owner(flow, flow.reads, len(table))
    writes = _by_owner(flow, flow.writes, len(table))
    columns = np.array([table.operator, table.chip, table.name, table.function])
    return [
        StatedOperation(
            number,
            operator,
            chip,
            flow.names[name],
            Function(function),
            reads[number],
            writes[number],
        )
        for number, (operator, chip, name, function) in enumerate(columns.T.tolist())
    ]


def _by_owner(
    flow: Dataflow, regions: Regions, owners: int
) -> list[dict[str, list[Region]]]:
    """Return the regions of each owner by the name of their value."""
    found: list[dict[str, list[Region]]] = [{} for _ in range(owners)]
    rows = np.array(
        [
            *(regions.owner, regions.value, regions.first, regions.last),
            *(regions.part_first, regions.part_last),
        ]
    )
    for owner, value, *edges in rows.T.tolist():
        name = flow.values[value].name
        found[owner].setdefault(name, []).append(Region(*edges))
    return found


@final
class GraphFacts:
    """Facts of the graph that a program must compute, for dataflow rules.

    Parameters
    ----------
    plan
        The plan; of it the graph, the machine and the table of weights are used.
    statements
        What the program states.
    """

    def __init__(self, plan: WorkloadPlan, statements: Statements) -> None:
        self.plan = plan
        self.statements = statements
        self.workload = plan.workload
        graph = graph_of_workload(plan.workload)
        self.states = graph.states
        self.graph: dict[str, GraphOperator] = {}
        self.operators: dict[str, Operator] = {}
        self.places: dict[str, int] = {}
        for place, (made, operator) in enumerate(
            zip(graph.graph.operators(), plan.workload.operators, strict=True)
        ):
            self.graph[made.name] = made
            self.operators[made.name] = operator
            self.places[made.name] = place
        self.tensors: dict[str, Tensor] = dict(plan.workload.by_name)
        self.tensors |= {new: self.tensors[old] for old, new in graph.states.items()}
        known = numberings(plan.workload)
        self.numberings: dict[str, Numbering] = known | {
            new: known[old] for old, new in graph.states.items()
        }

    @cached_property
    def matrices(self) -> dict[str, Tensor]:
        """The weights by the name of each of their matrices."""
        return {
            name: tensor
            for tensor in self.workload.tensors
            if tensor.role is Role.WEIGHTS
            for name in self.names_of(tensor)
        }

    @cached_property
    def operations(self) -> list[StatedOperation]:
        """The operations that the program states, in their order."""
        return stated_operations(self.statements.flow)

    def left(self, name: str) -> tuple[Ints, Ints, Ints]:
        """Return, for dataflow rules, what chips are left of a complete value.

        Returns
        -------
        tuple of NDArray
            Chip, first and last element of each region that was made or has arrived.
        """
        none = np.zeros((3, 0), dtype=np.int64)
        chip, first, last = self._left.get(name, none)
        return chip, first, last

    @cached_property
    def _left(self) -> dict[str, Ints]:
        flow = self.statements.flow
        blocks = []
        for regions, chip in (
            (flow.writes, flow.operations.chip),
            (flow.carried, flow.messages.target),
        ):
            own = np.flatnonzero((regions.part_first == 0) & (regions.part_last == 1))
            edges = regions.first[own], regions.last[own]
            blocks.append(
                np.array([regions.value[own], chip[regions.owner[own]], *edges])
            )
        table = np.concatenate(blocks, axis=1).astype(np.int64)
        table = table[:, np.argsort(table[0], kind="stable")]
        ends = np.searchsorted(table[0], np.arange(len(flow.values) + 1))
        return {
            value.name: table[1:, ends[number] : ends[number + 1]]
            for number, value in enumerate(flow.values)
        }

    def names_of(self, tensor: Tensor) -> list[str]:
        """Return, for dataflow rules, the names of the matrices of weights."""
        count = tensor.matrices
        return [
            f"{tensor.name}[{n}]" if count > 1 else tensor.name for n in range(count)
        ]

    def stage_chips(self, place: int) -> Ints:
        """Return, for dataflow rules, the chips that the plan gives an operator."""
        stages = self.plan.stages
        return next(s.chips for s in stages if s.first <= place < s.last)

    def partial(self, name: str) -> str:
        """Return, for dataflow rules, the name of a value that is not complete."""
        return f"{name}{_PARTIAL}"

    def is_value(self, name: str) -> bool:
        """Return, for dataflow rules, whether a value of the graph has the name."""
        return name in self.numberings or name.removesuffix(_PARTIAL) in self.numberings

    def bits(self, tensor: Tensor) -> int:
        """Return, for dataflow rules, the bits of an element of a tensor."""
        formats = self.plan.machine.formats
        weights = tensor.role is Role.WEIGHTS
        if tensor.format is not None:
            return tensor.format.bits
        plain = formats.plain_weights if weights else formats.activations
        return plain.bits

    def refused(self, operation: StatedOperation, what: str) -> VerificationError:
        """Return the error of an operation, for dataflow rules."""
        return self.statements.violation(operation.number, what)

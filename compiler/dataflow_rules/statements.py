"""Statements of a program's dataflow, indexed for the rules that check them.

For `compiler.verify`; independent of the code that makes programs.
"""

from collections.abc import Callable, Mapping
from typing import final

import numpy as np
from numpy.typing import NDArray

from chip.dataflow import Dataflow, Function
from chip.program import Program
from compiler.dataflow_rules.regions import Edges, Flags, RegionTable, Rows, either
from compiler.hazard_rules.structure import violation
from specs.arrays import Ints
from specs.errors import VerificationError
from workloads.operator_graph import OperatorGraph
from workloads.operators import GraphOperator

NameOf = Callable[[str], str]


def beside(suffix: str) -> NameOf:
    """Return what names a value of an operator's block by the operator's name."""
    return lambda name: f"{name.rpartition('.')[0]}.{suffix}"


@final
class Statements:
    """Statements of a program, with the graph that they must compute.

    Parameters
    ----------
    program
        A program that states its dataflow.
    graph
        The operator graph.
    expert_groups
        Groups of chips within a tensor group, each with whole experts of its own.

    Attributes
    ----------
    program, flow
        The program and its dataflow.
    graph
        Operators of the graph by name.
    expert_groups
        As above.
    """

    def __init__(
        self, program: Program, graph: OperatorGraph, expert_groups: int
    ) -> None:
        assert program.dataflow is not None
        self.expert_groups = expert_groups
        self.program = program
        self.flow: Dataflow = program.dataflow
        self.graph: Mapping[str, GraphOperator] = {
            operator.name: operator for operator in graph.operators()
        }
        self.tensors = {
            tensor.name: (tensor.rows, tensor.columns) for tensor in graph.tensors()
        }
        self._bases: dict[str, int] = {}
        self.base = np.array(
            [self._base(value.name) for value in self.flow.values], dtype=np.int64
        ).reshape(-1)
        self._reads = RegionTable(self.flow.reads, self.base, len(self._bases))
        self._writes = RegionTable(self.flow.writes, self.base, len(self._bases))

    def _base(self, name: str) -> int:
        """Return the number of a value's name without the place where a sum ends."""
        base = f"{name.partition('@')[0]}@" if "@" in name else name
        return self._bases.setdefault(base, len(self._bases))

    def of(self, function: Function) -> Ints:
        """Return the operations of a function, shape ``(operations,)``."""
        return np.flatnonzero(self.flow.operations.function == function)

    def numbers(self, operations: Ints, number_of: Callable[[str], int]) -> Ints:
        """Return a number of each operation that follows from its name."""
        names, place = np.unique(
            self.flow.operations.name[operations], return_inverse=True
        )
        numbers = [number_of(self.flow.names[name]) for name in names.tolist()]
        return np.array(numbers, dtype=np.int64).reshape(-1)[place]

    def columns(self, operations: Ints, name_of: NameOf) -> Ints:
        """Return the columns of a tensor of the graph, by the operator's name."""
        return self.numbers(operations, lambda name: self.tensors[name_of(name)][1])

    def rows(self, operations: Ints, name_of: NameOf) -> Ints:
        """Return the rows of a tensor of the graph, by the operator's name."""
        return self.numbers(operations, lambda name: self.tensors[name_of(name)][0])

    def _base_of(self, operations: Ints, name_of: NameOf) -> Ints:
        return self.numbers(operations, lambda name: self._bases.get(name_of(name), -1))

    def reads(self, operations: Ints, name_of: NameOf) -> Rows:
        """Return all regions of a value that operations read, the value by name."""
        return self._reads.rows(operations, self._base_of(operations, name_of))

    def writes(self, operations: Ints, name_of: NameOf) -> Rows:
        """Return all regions of a value that operations make, the value by name."""
        return self._writes.rows(operations, self._base_of(operations, name_of))

    def read(self, operations: Ints, name_of: NameOf) -> Edges:
        """Return the one region of a value that each operation reads, if any."""
        return self._single(operations, self.reads(operations, name_of), name_of)

    def written(self, operations: Ints, name_of: NameOf) -> Edges:
        """Return the one region of a value that each operation makes, if any."""
        return self._single(operations, self.writes(operations, name_of), name_of)

    def input(self, place: int) -> NameOf:
        """Return what names an operator's input by the operator's name."""
        return lambda name: self.graph[name].inputs[place]

    def output(self, place: int = 0) -> NameOf:
        """Return what names an operator's output by the operator's name."""
        return lambda name: self.graph[name].outputs[place]

    def like(self, operations: Ints, others: Ints) -> Ints:
        """Return for each operation the place of the other one of its layer.

        It is that of the same pass and chip; no layer has two of the others there.
        """
        keys = self._layer_keys(others)
        order = np.argsort(keys)
        at = np.searchsorted(keys[order], self._layer_keys(operations))
        return order[np.minimum(at, len(order) - 1)]

    def _layer_keys(self, operations: Ints) -> Ints:
        """Return a number of each operation's layer, pass and chip."""
        table = self.flow.operations
        layer = self.numbers(operations, lambda name: self.graph[name].layer or 0)
        number = layer * len(self.flow.passes) + table.number[operations]
        keys: Ints = number * self.program.chips + table.chip[operations]
        return keys

    def most_inputs(self, operations: Ints) -> int:
        """Return the most inputs of the operators of operations."""
        count = self.numbers(operations, lambda name: len(self.graph[name].inputs))
        return int(count.max())

    def has_input(
        self, operations: Ints, place: int, suffix: str | tuple[str, ...] = ""
    ) -> Flags:
        """Return whether operators have so many inputs, the last with a name's end."""

        def found(name: str) -> bool:
            inputs = self.graph[name].inputs
            return len(inputs) > place and inputs[place].endswith(suffix)

        has: Flags = self.numbers(operations, found) == 1
        return has

    def all_reads(self, operations: Ints) -> Rows:
        """Return all regions that operations read."""
        return self._reads.all_rows(operations)

    def all_writes(self, operations: Ints) -> Rows:
        """Return all regions that operations make."""
        return self._writes.all_rows(operations)

    def made_so_far(self, operations: Ints, name_of: NameOf) -> tuple[Edges, Flags]:
        """Return the region that each operation makes of a sum, and if it is complete.

        A sum whose last terms another stage adds has a name with an ``@``.
        """
        whole = self.written(operations, name_of)
        part = self.written(operations, lambda name: f"{name_of(name)}@")
        made = either(whole, part)
        self.must(made.found, operations, "makes no result, or more than one")
        return made, whole.found

    def _single(self, operations: Ints, rows: Rows, name_of: NameOf) -> Edges:
        """Return rows as edges; refuse two regions in one operation."""
        twice = np.flatnonzero(rows.place[1:] == rows.place[:-1])
        if len(twice):
            operation = int(operations[rows.place[twice[0]]])
            value = name_of(self.name(operation))
            raise self.violation(operation, f"names two regions of {value}")
        edges = np.full((4, len(operations)), -1, dtype=np.int64)
        edges[:, rows.place] = rows[1:]
        found = np.zeros(len(operations), dtype=bool)
        found[rows.place] = True
        return Edges(found, *edges)

    @property
    def chained(self) -> Ints:
        """Return the place of each operation among those of its instruction."""
        table = self.flow.operations
        key = np.array([table.operator, table.chip], dtype=np.int64)
        new = np.concatenate([[True], (key[:, 1:] != key[:, :-1]).any(axis=0)])
        begins = np.flatnonzero(new[: len(table)])
        place: Ints = np.arange(len(table)) - begins[np.cumsum(new[: len(table)]) - 1]
        return place

    def name(self, operation: int) -> str:
        """Return the name of the graph's operator that an operation is a part of."""
        return self.flow.names[int(self.flow.operations.name[operation])]

    def must(self, holds: Flags, operations: NDArray[np.integer], what: str) -> int:
        """Refuse the first of the operations for which something does not hold.

        Returns the number of operations.
        """
        wrong = np.flatnonzero(~holds)
        if len(wrong):
            raise self.violation(int(operations[wrong[0]]), what)
        return len(operations)

    def violation(self, operation: int, what: str) -> VerificationError:
        """Return the error of an operation: its operator, chip, cycle and columns."""
        table = self.flow.operations
        chip, operator = int(table.chip[operation]), int(table.operator[operation])
        where = f"{self.name(operation)} on chip {chip} ({self.when(chip, operator)})"
        made = np.flatnonzero(self.flow.writes.owner == operation)
        if len(made):
            where = f"{where}, which makes {self._columns(int(made[0]))}"
        return violation("the program computes something else", f"{where}: {what}")

    def _columns(self, row: int) -> str:
        """Return a region that an operation makes, as words."""
        writes = self.flow.writes
        first, last = int(writes.first[row]), int(writes.last[row])
        name = self.flow.values[int(writes.value[row])].name
        return f"columns {first} to {last - 1} of {name}"

    def unsent(self, message: int, what: str) -> VerificationError:
        """Return the error of a message that carries what its source does not have."""
        messages = self.flow.messages
        chip, operator = int(messages.source[message]), int(messages.operator[message])
        return violation(
            "the program computes something else",
            f"chip {chip} sends {what} to chip {int(messages.target[message])} "
            f"({self.when(chip, operator)}), and does not have them just once",
        )

    def content_of(self, message: int) -> str:
        """Return the names of the values that a message carries, as words."""
        carried = self.flow.carried
        values = np.unique(carried.value[carried.owner == message])
        names = [self.flow.values[value].name for value in values.tolist()]
        return " and ".join(names) or "nothing"

    def when(self, chip: int, operator: int) -> str:
        """Return the cycle at which a chip begins an operator, as words."""
        code = self.program.instructions
        at = (code.chip == chip) & (code.operator == operator)
        if not at.any():
            return "never"
        return f"cycle {int(code.start_cycle[at].min())}"

    def check_all_used(self) -> int:
        """Refuse a region that no rule has looked at: it has no place in the graph."""
        for table, regions, what in (
            (self._reads, self.flow.reads, "reads"),
            (self._writes, self.flow.writes, "makes"),
        ):
            unused = np.flatnonzero(~table.seen)
            if len(unused):
                row = int(unused[0])
                value = self.flow.values[int(regions.value[row])].name
                raise self.violation(
                    int(regions.owner[row]),
                    f"{what} {value}, for which the graph has no use there",
                )
        return len(self.flow.reads) + len(self.flow.writes)

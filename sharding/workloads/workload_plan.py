"""A workload plan: a graph of operators split over chips, within their memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, final

import numpy as np

from chip.element_numbering import Numbering
from sharding.parallelism.grid import ColumnSplit, Grid
from sharding.planner.memory import StageMemory
from sharding.weights.slice_table import SliceTable
from sharding.workloads.tensor_layout import Use, format_of, split_columns, uses_of
from specs.arrays import Ints
from specs.formats import Format
from specs.graph import Role, Tensor
from specs.machine import MachineSpec
from specs.short_repr import html_table, short_repr
from workloads.graphs.graph_of_workload import WorkloadGraph, graph_of_workload
from workloads.graphs.numberings import numberings, weight_blocks
from workloads.graphs.workload import Workload
from workloads.operators import GraphOperator

if TYPE_CHECKING:
    import pandas as pd


@final
@dataclass(frozen=True, slots=True, eq=False)
class WorkloadStage:
    """A pipeline stage of a workload: consecutive operators on a grid of chips.

    Parameters
    ----------
    index
        Position in the pipeline.
    first, last
        Numbers of its first operator and of the first one behind it.
    chips
        Chip of each member, shape ``(chips,)``.
    memory
        SRAM bytes of each member.
    layers
        Name of what the stage holds, for tables.
    replica
        Number of the replica, of which there is one.
    """

    index: int
    first: int
    last: int
    chips: Ints
    memory: StageMemory
    layers: str
    replica: int = 0

    __repr__ = short_repr

    def reads(self, workload: Workload, name: str) -> bool:
        """Return whether an operator of the stage reads a tensor of the workload."""
        return any(name in o.reads for o in workload.operators[self.first : self.last])


@final
@dataclass(frozen=True, eq=False)
class WorkloadPlan:
    """A workload plan: a workload split over the chips of a machine.

    Parameters
    ----------
    workload, machine
        The workload, with its batch, and the machine.
    strategy
        The grid of each stage, and their number.
    stages
        The stages in order.
    """

    workload: Workload
    machine: MachineSpec
    strategy: Grid
    stages: tuple[WorkloadStage, ...]

    __repr__ = short_repr
    _repr_html_ = html_table

    @property
    def chips(self) -> Ints:
        """Return the chips of all stages, shape ``(chips,)``."""
        return np.concatenate([stage.chips for stage in self.stages])

    @property
    def replicas(self) -> tuple["WorkloadPlan", ...]:
        """Return the only replica: the plan itself."""
        return (self,)

    @property
    def sequences(self) -> int:
        """Return the iterations in flight: one."""
        return 1

    def kept_bytes(self, stage: int) -> Ints:
        """Return the planned bytes of activations that are alive at once in a stage.

        Parameters
        ----------
        stage
            Number of the stage.

        Returns
        -------
        NDArray
            Bytes of each chip, shape ``(chips of the stage,)``.
        """
        return self.stages[stage].memory.activations

    @cached_property
    def uses(self) -> dict[str, set[Use]]:
        """Uses of each tensor by the operators that read it."""
        return uses_of(self.workload)

    @cached_property
    def columns(self) -> dict[str, ColumnSplit]:
        """How each result of a product with weights is split."""
        return split_columns(self.workload)

    @cached_property
    def blocks(self) -> dict[str, int]:
        """Blocks of columns of each weight matrix of a product."""
        return weight_blocks(self.workload)

    @cached_property
    def graph(self) -> WorkloadGraph:
        """The operator graph of an iteration."""
        return graph_of_workload(self.workload)

    @cached_property
    def operators(self) -> tuple[GraphOperator, ...]:
        """The operators of that graph, in the order of the workload's."""
        return tuple(self.graph.graph.operators())

    @cached_property
    def numberings(self) -> dict[str, Numbering]:
        """How the elements of each value of the graph are counted."""
        known = numberings(self.workload)
        after = {new: known[old] for old, new in self.graph.states.items()}
        return known | after

    def maker_of(self, name: str) -> int:
        """Return the number of the operator that makes a tensor of the workload."""
        operators = self.workload.operators
        return next(n for n, each in enumerate(operators) if name in each.makes)

    def stage_of(self, number: int) -> WorkloadStage:
        """Return the stage of the workload's operator of a number."""
        return next(s for s in self.stages if s.first <= number < s.last)

    def stored_format(self, name: str) -> Format:
        """Return the number format in which a tensor of the workload is stored."""
        return format_of(self.workload.by_name[name], self.machine.formats)

    @property
    def fullest_chip_bytes(self) -> int:
        """Return the bytes in use on the fullest chip."""
        return max(int(stage.memory.total.max()) for stage in self.stages)

    @property
    def weight_bytes(self) -> int:
        """Return the bytes of all weights, each counted once."""
        return sum(
            format_of(tensor, self.machine.formats).bytes_of(tensor.elements)
            for tensor in self.workload.tensors
            if tensor.role is Role.WEIGHTS
        )

    @cached_property
    def slice_table(self) -> SliceTable:
        """Weight slices as arrays, one row for each slice of a matrix on a chip.

        The layer is the number of the first operator that reads the weights. Columns
        of weights are counted as they are stored: those of one place of all `blocks`
        together.
        """
        return SliceTable.of_rows(
            row
            for tensor in self.workload.tensors
            if tensor.role is Role.WEIGHTS
            for row in self._slices(tensor)
        )

    @cached_property
    def slices(self) -> "pd.DataFrame":
        """Weight slices as a table: `slice_table` with the names of tensors.

        Columns are as in `sharding.planner.plan.ShardingPlan.slices`.
        """
        return self.slice_table.frame()

    def _slices(self, tensor: Tensor) -> Iterator[tuple[int | str, ...]]:
        """Yield the rows of a weight tensor in the table of slices.

        The first stage that reads it holds the tensor, others hold copies.
        """
        kinds, grid = self.uses[tensor.name], self.strategy
        stored = format_of(tensor, self.machine.formats)
        layer = next(
            number
            for number, operator in enumerate(self.workload.operators)
            if tensor.name in operator.reads
        )
        none = np.zeros(grid.width, dtype=np.int64)
        rows, columns = (none, none + tensor.rows), (none, none + tensor.columns)
        whole = False
        if kinds == {Use.INSTALLED}:
            rows = grid.rows(tensor.rows)
            columns = grid.columns(tensor.columns, self.blocks[tensor.name])
        elif kinds == {Use.TABLE}:
            edges = np.cumsum([0, *grid.even_shares(tensor.columns)])
            columns = (edges[:-1], edges[1:])
        else:
            whole = True
        table = np.stack([*rows, *columns], axis=1).tolist()
        holders = [s for s in self.stages if s.reads(self.workload, tensor.name)]
        for matrix, (place, stage) in product(
            range(tensor.matrices), enumerate(holders)
        ):
            name = f"{tensor.name}[{matrix}]" if tensor.matrices > 1 else tensor.name
            for member, (chip, (low, high, left, right)) in enumerate(
                zip(stage.chips.tolist(), table, strict=True)
            ):
                elements = (high - low) * (right - left)
                if not elements:
                    continue
                copy = place * grid.width + member if whole else place
                yield (
                    *(chip, 0, stage.index, layer),
                    f"{name} (copy {copy})" if copy else name,
                    *(tensor.rows, tensor.columns, low, high, left, right),
                    stored.bytes_of(elements),
                )

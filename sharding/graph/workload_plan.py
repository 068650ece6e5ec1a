"""A workload plan: a graph of operators split over chips, within their memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
import pandas as pd

from chip.element_numbering import Numbering
from sharding.graph.tensor_layout import Use, format_of, split_columns, uses_of
from sharding.parallelism.grid import ColumnSplit, Grid
from sharding.planner.memory import StageMemory
from specs.arrays import Ints
from specs.graph import Role, Tensor
from specs.machine import MachineSpec
from workloads.graphs.graph_of_workload import WorkloadGraph, graph_of_workload
from workloads.graphs.numberings import numberings, weight_blocks
from workloads.graphs.workload import Workload
from workloads.operators import GraphOperator


@final
@dataclass(frozen=True, slots=True, eq=False)
class WorkloadStage:
    """The only pipeline stage of a workload.

    Parameters
    ----------
    index
        Position in the pipeline.
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
    chips: Ints
    memory: StageMemory
    layers: str
    replica: int = 0


@final
@dataclass(frozen=True, eq=False)
class WorkloadPlan:
    """A workload plan: a workload split over the chips of a machine.

    Parameters
    ----------
    workload, machine
        The workload, with its batch, and the machine.
    strategy
        The grid.
    group
        The chips, with the SRAM bytes of each.
    """

    workload: Workload
    machine: MachineSpec
    strategy: Grid
    group: WorkloadStage

    @property
    def stages(self) -> tuple[WorkloadStage, ...]:
        """Return the only stage, as a pipeline."""
        return (self.group,)

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

    @property
    def fullest_chip_bytes(self) -> int:
        """Return the bytes in use on the fullest chip."""
        return int(self.group.memory.total.max())

    @property
    def weight_bytes(self) -> int:
        """Return the bytes of all weights, each counted once."""
        return sum(
            format_of(tensor, self.machine.formats).bytes_of(tensor.elements)
            for tensor in self.workload.tensors
            if tensor.role is Role.WEIGHTS
        )

    @cached_property
    def slices(self) -> pd.DataFrame:
        """Weight slices as a table, one row for each slice of a matrix on a chip.

        Columns are as in `sharding.planner.plan.ShardingPlan.slices`. The layer is the
        number of the first operator that reads the weights. Columns of weights are
        counted as they are stored: those of one place of all `blocks` together.
        """
        rows = [row for tensor in self.workload.tensors for row in self._slices(tensor)]
        columns = (
            *("chip", "replica", "stage", "layer"),
            *("tensor", "tensor_rows", "tensor_columns"),
            *("row_start", "row_end", "column_start", "column_end", "bytes"),
        )
        return pd.DataFrame(rows, columns=list(columns))

    def _slices(self, tensor: Tensor) -> Iterator[tuple[object, ...]]:
        """Yield the rows of a weight tensor in the table of slices."""
        if tensor.role is not Role.WEIGHTS:
            return
        kinds = self.uses[tensor.name]
        grid, chips = self.strategy, self.group.chips.tolist()
        stored = format_of(tensor, self.machine.formats)
        layer = next(
            number
            for number, operator in enumerate(self.workload.operators)
            if tensor.name in operator.reads
        )
        none = np.zeros(grid.chips, dtype=np.int64)
        rows, columns = (
            (none, none + tensor.rows),
            (none, none + tensor.columns),
        )
        copied = False
        if kinds == {Use.INSTALLED}:
            rows = grid.rows(tensor.rows)
            columns = grid.columns(tensor.columns, self.blocks[tensor.name])
        elif kinds == {Use.TABLE}:
            edges = np.cumsum([0, *grid.even_shares(tensor.columns)])
            columns = (edges[:-1], edges[1:])
        else:
            copied = True
        table = np.stack([*rows, *columns], axis=1).tolist()
        for matrix in range(tensor.matrices):
            name = f"{tensor.name}[{matrix}]" if tensor.matrices > 1 else tensor.name
            for member, (chip, (low, high, left, right)) in enumerate(
                zip(chips, table, strict=True)
            ):
                elements = (high - low) * (right - left)
                if not elements:
                    continue
                copy = copied and member > 0
                yield (
                    *(chip, 0, 0, layer),
                    f"{name} (copy {member})" if copy else name,
                    *(tensor.rows, tensor.columns, low, high, left, right),
                    stored.bytes_of(elements),
                )

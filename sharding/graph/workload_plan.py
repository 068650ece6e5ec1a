"""A workload split over chips: what each chip holds, and whether it fits."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
import pandas as pd

from sharding.graph.tensor_layout import Use, format_of, front_columns, uses_of
from sharding.graph.workload_memory import workload_memory
from sharding.parallelism.grid import Grid, grids
from sharding.planner.memory import StageMemory
from specs.arrays import Ints
from specs.errors import PlanError
from specs.graph import Matmul, Role, Tensor
from specs.machine import MachineSpec
from specs.workload import Workload
from topologies.cables import CHIPS_PER_NODE

# No larger machine is suggested: there is none.
_MOST_CHIPS = 10_440


@final
@dataclass(frozen=True, slots=True, eq=False)
class WorkloadStage:
    """The chips of a workload, as the one stage of a pipeline.

    Parameters
    ----------
    index
        Place in the pipeline.
    chips
        Chip of each member, shape ``(chips,)``.
    memory
        What each member keeps in SRAM.
    layers
        What the group holds, for tables.
    replica
        Number of the copy: there is one.
    """

    index: int
    chips: Ints
    memory: StageMemory
    layers: str
    replica: int = 0


@final
@dataclass(frozen=True, eq=False)
class WorkloadPlan:
    """A workload split over the chips of a machine.

    Parameters
    ----------
    workload, machine
        What runs on what; the workload has its batch.
    strategy
        The split.
    group
        The chips, and what each keeps in SRAM.
    """

    workload: Workload
    machine: MachineSpec
    strategy: Grid
    group: WorkloadStage

    @property
    def stages(self) -> tuple[WorkloadStage, ...]:
        """Return the one stage that there is."""
        return (self.group,)

    @cached_property
    def uses(self) -> dict[str, set[Use]]:
        """How the operators take each tensor."""
        return uses_of(self.workload)

    @cached_property
    def columns(self) -> dict[str, int]:
        """The columns that split what products with weights make."""
        return front_columns(self.workload)

    @property
    def fullest_chip_bytes(self) -> int:
        """Return the bytes in use on the fullest chip."""
        return int(self.group.memory.total.max())

    @property
    def weight_bytes(self) -> int:
        """Return the bytes of all weights together, each counted once."""
        return sum(
            format_of(tensor, self.machine.formats).bytes_of(tensor.elements)
            for tensor in self.workload.tensors
            if tensor.role is Role.WEIGHTS
        )

    @cached_property
    def slices(self) -> pd.DataFrame:
        """The plan as a table, one row for each slice of a weight matrix on a chip.

        Columns as in `sharding.planner.plan.ShardingPlan.slices`; the layer is the
        operator that takes the weights first.
        """
        rows = [row for tensor in self.workload.tensors for row in self._slices(tensor)]
        columns = (
            *("chip", "replica", "stage", "layer"),
            *("tensor", "tensor_rows", "tensor_columns"),
            *("row_start", "row_end", "column_start", "column_end", "bytes"),
        )
        return pd.DataFrame(rows, columns=list(columns))

    def _slices(self, tensor: Tensor) -> Iterator[tuple[object, ...]]:
        if tensor.role is not Role.WEIGHTS:
            return
        how = self.uses[tensor.name]
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
        if how == {Use.INSTALLED}:
            rows, columns = grid.rows(tensor.rows), grid.columns(tensor.columns)
        elif how == {Use.TABLE}:
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


def plan_workload(
    workload: Workload, machine: MachineSpec, grid: Grid, chips: Ints
) -> WorkloadPlan:
    """Return the plan that `grid` describes.

    Parameters
    ----------
    workload, machine
        What runs on what.
    grid
        The split.
    chips
        Chips to use, in order.

    Raises
    ------
    PlanError
        If the grid is finer than a weight matrix, or if weights, states, activations
        and program do not fit: the message names the fullest chip, the bytes that are
        missing and the fewest chips that would do.
    """
    for product in workload.operators:
        if isinstance(product, Matmul):
            _check_grid(product, workload.by_name[product.right], grid)
    memory = workload_memory(workload, machine, grid)
    total, limit = memory.total, machine.chip.sram_bytes
    if total.max() > limit:
        member = int(total.argmax())
        held = ", ".join(
            f"{name} {values[member] / 1e6:.1f} MB"
            for name, values in zip(
                ("weights", "states", "activations", "program"), memory, strict=True
            )
        )
        raise PlanError(
            f"{workload.name} does not fit as {grid}: chip {int(chips[member])} is the "
            f"fullest and lacks {int(total[member]) - limit:,} bytes: it needs "
            f"{int(total[member]):,} ({held}) and has {limit:,}. "
            f"{_way_out(workload, machine)}"
        )
    members = np.asarray(chips[: grid.chips], dtype=np.int64)
    group = WorkloadStage(0, members, memory, workload.name)
    return WorkloadPlan(workload, machine, grid, group)


def _check_grid(product: Matmul, right: Tensor, grid: Grid) -> None:
    if right.role is not Role.WEIGHTS:
        return
    for key, parts, size in (
        ("column", grid.column, right.columns),
        ("row", grid.row, right.rows),
    ):
        if parts > size:
            raise PlanError(
                f"{grid}: {right.name} of {product.name} has {size} {key}s, which "
                f"cannot be split into {parts} parts; use {key}={size} or less"
            )


def _way_out(workload: Workload, machine: MachineSpec) -> str:
    """Return the fewest chips that would do, of a node or of whole nodes, and how."""
    limit = machine.chip.sram_bytes

    def fitting(chips: int) -> Grid | None:
        return next(
            (
                grid
                for grid in grids(chips)
                if workload_memory(workload, machine, grid).total.max() <= limit
            ),
            None,
        )

    if fitting(_MOST_CHIPS) is None:
        return (
            f"No split over {_MOST_CHIPS:,} chips would do either, since what is read "
            f"in whole is on each chip; use a smaller --batch or smaller sizes."
        )
    alone = workload_memory(workload, machine, Grid(column=1, row=1))
    least = int(alone.weights[0]) // (limit - machine.chip.program_reserve_bytes) + 1
    # Beyond one node, chips come in whole nodes.
    counts = [
        *range(1, CHIPS_PER_NODE),
        *range(CHIPS_PER_NODE, _MOST_CHIPS + 1, CHIPS_PER_NODE),
    ]
    grid = next(filter(None, (fitting(n) for n in counts if n >= least)))
    return f"What would do: --chips {grid.chips} --strategy {grid}."

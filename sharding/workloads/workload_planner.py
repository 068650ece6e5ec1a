"""Planning of a workload: a graph of operators split over chips, if it fits them."""

import numpy as np

from sharding.parallelism.grid import Grid, grids
from sharding.workloads.workload_memory import workload_memory
from sharding.workloads.workload_plan import WorkloadPlan, WorkloadStage
from sharding.workloads.workload_stages import stage_ranges, uncut_runs
from specs.arrays import Ints
from specs.errors import PlanError
from specs.graph import Matmul, Role, Tensor
from specs.machine import MachineSpec
from topologies.cables import CHIPS_PER_NODE
from workloads.graphs.numberings import weight_blocks
from workloads.graphs.workload import Workload

# No larger machine is suggested, since there is none.
_MOST_CHIPS = 10_440


def plan_workload(
    workload: Workload, machine: MachineSpec, grid: Grid, chips: Ints
) -> WorkloadPlan:
    """Return the plan of a workload's operator graph on a grid.

    Parameters
    ----------
    workload, machine
        The workload and the machine.
    grid
        The grid.
    chips
        Chips in the order of use.

    Raises
    ------
    PlanError
        If the grid is finer than a weight matrix, or weights, states, activations and
        program do not fit. Then the message names the fullest chip, its missing bytes
        and the fewest chips that fit.
    """
    blocks = weight_blocks(workload)
    for product in workload.operators:
        if isinstance(product, Matmul):
            right = workload.by_name[product.right]
            _check_grid(product, right, grid, blocks[product.right])
    runs = uncut_runs(workload)
    if grid.pipeline > len(runs):
        raise PlanError(
            f"{grid} has more stages than {workload.name} has operators that may be "
            f"apart: {len(runs)}; use pipeline={len(runs)} or fewer"
        )
    groups = np.asarray(chips[: grid.chips], dtype=np.int64)
    groups = groups.reshape(grid.pipeline, grid.width)
    whole = range(len(workload.operators))
    alone = _planned(workload, machine, grid, groups[:1], [whole])
    if grid.pipeline == 1:
        _check_fit(alone)
        return alone
    ranges = stage_ranges(alone)
    # Without one that fits, the error is that of stages of equal numbers.
    shares = np.array_split(np.arange(len(runs)), grid.pipeline)
    even = [range(runs[s[0]].start, runs[s[-1]].stop) for s in shares]
    plan = _planned(workload, machine, grid, groups, ranges or even)
    _check_fit(plan)
    return plan


def _planned(
    workload: Workload,
    machine: MachineSpec,
    grid: Grid,
    groups: Ints,
    ranges: list[range],
) -> WorkloadPlan:
    """Return a plan whose stages have some operators each, whether they fit or not."""
    stages = []
    for index, (members, numbers) in enumerate(zip(groups, ranges, strict=True)):
        name = workload.name
        if len(ranges) > 1:
            own = workload.operators[numbers.start : numbers.stop]
            name = own[0].name if len(own) == 1 else f"{own[0].name} to {own[-1].name}"
        memory = workload_memory(workload, machine, grid, numbers)
        stages.append(
            WorkloadStage(index, numbers.start, numbers.stop, members, memory, name)
        )
    return WorkloadPlan(workload, machine, grid, tuple(stages))


def _check_fit(plan: WorkloadPlan) -> None:
    """Refuse a plan with a chip that does not hold its part."""
    workload, machine = plan.workload, plan.machine
    stage = max(plan.stages, key=lambda each: int(each.memory.total.max()))
    total, limit = stage.memory.total, machine.chip.sram_bytes
    if total.max() > limit:
        member = int(total.argmax())
        held = ", ".join(
            f"{name} {values[member] / 1e6:.1f} MB"
            for name, values in zip(
                ("weights", "states", "activations", "program"),
                stage.memory,
                strict=True,
            )
        )
        raise PlanError(
            f"{workload.name} does not fit as {plan.strategy}: chip "
            f"{int(stage.chips[member])} is the fullest and lacks "
            f"{int(total[member]) - limit:,} bytes: it needs {int(total[member]):,} "
            f"({held}) and has {limit:,}. {_suggestion(workload, machine)}"
        )


def _check_grid(product: Matmul, right: Tensor, grid: Grid, blocks: int) -> None:
    """Check that a grid splits the weights of a product into non-empty parts."""
    if right.role is not Role.WEIGHTS:
        return
    for key, parts, size in (
        ("column", grid.column, right.columns // blocks),
        ("row", grid.row, right.rows),
    ):
        if parts > size:
            what = f"{key}s of each of {blocks} blocks" if blocks > 1 else f"{key}s"
            raise PlanError(
                f"{grid}: {right.name} of {product.name} has {size} {what}, which "
                f"cannot be split into {parts} parts; use {key}={size} or less"
            )


def _suggestion(workload: Workload, machine: MachineSpec) -> str:
    """Return the smallest part of a node, or number of nodes, that fits, as text."""
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

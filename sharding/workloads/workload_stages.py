"""Pipeline stages of a workload: where its operators are cut."""

import numpy as np

from sharding.operators.operators import Compute
from sharding.planner.min_max_partition import balanced_cuts
from sharding.workloads.workload_memory import workload_memory
from sharding.workloads.workload_operators import workload_steps
from sharding.workloads.workload_plan import WorkloadPlan, WorkloadStage
from specs.graph import Role, Vector
from workloads.graphs.workload import Workload


def uncut_runs(workload: Workload) -> list[range]:
    """Return the numbers of a workload's operators that stay in one stage, in order.

    A chained operator stays with its product, and a state is read and made in one
    stage, where the next iteration finds it.
    """
    operators = workload.operators
    states = {t.name for t in workload.tensors if t.role is Role.STATE}
    # The last operator that must be in the stage of each one.
    ends = list(range(len(operators)))
    for number, operator in enumerate(operators):
        if isinstance(operator, Vector) and operator.chained:
            ends[number - 1] = max(ends[number - 1], number)
        for name in states & set(operator.reads):
            makers = [n for n, each in enumerate(operators) if name in each.makes]
            for maker in makers:
                low, high = min(number, maker), max(number, maker)
                # What reads a state behind its maker reads the new one.
                if number <= maker:
                    ends[low] = max(ends[low], high)
    runs, first = [], 0
    while first < len(operators):
        last = first
        number = first
        while number <= last:
            last = max(last, ends[number])
            number += 1
        runs.append(range(first, last + 1))
        first = last + 1
    return runs


def stage_ranges(plan: WorkloadPlan) -> list[range] | None:
    """Return the operators of each stage of a workload's plan, None if they do not fit.

    The slowest stage takes as few cycles as possible.

    Parameters
    ----------
    plan
        A plan of a single stage, which need not fit.
    """
    workload, machine, grid = plan.workload, plan.machine, plan.strategy
    runs = uncut_runs(workload)
    chip = machine.chip
    memories = [workload_memory(workload, machine, grid, run) for run in runs]
    alive = max(int(memory.activations.max()) for memory in memories)
    held = np.array(
        [int((memory.weights + memory.kv_cache).max()) for memory in memories],
        dtype=np.int64,
    )
    cuts = balanced_cuts(
        np.array([_cycles(plan, run) for run in runs], dtype=np.int64),
        held,
        0 * held,
        stages=grid.pipeline,
        capacity=chip.sram_bytes - chip.program_reserve_bytes - alive,
    )
    if cuts is None:
        return None
    ends = [*cuts[1:], len(runs)]
    return [
        range(runs[first].start, runs[end - 1].stop)
        for first, end in zip(cuts, ends, strict=True)
    ]


def _cycles(plan: WorkloadPlan, run: range) -> int:
    """Return the cycles of operators on their slowest chips, exchanges not counted."""
    (stage,) = plan.stages
    part = WorkloadStage(
        0, run.start, run.stop, stage.chips, stage.memory, stage.layers
    )
    return sum(
        int(step.cycles.max())
        for step in workload_steps(plan, part)
        if isinstance(step, Compute)
    )

"""Roofline and critical-path bound of an operator graph, in closed form."""

import numpy as np

from compiler.cost.link_timing import hop_cycles
from sharding.operators.operators import Compute, Exchange, Pattern, Unit
from sharding.workloads.workload_gathers import crossing
from sharding.workloads.workload_operators import workload_steps
from sharding.workloads.workload_plan import WorkloadPlan
from specs.machine import MachineSpec
from specs.units import ceil_div


def workload_bound(plan: WorkloadPlan) -> int:
    """Return the closed-form roofline cost: cycles that no schedule of a plan can beat.

    The matrix unit of the busiest chip works without a pause. Its pipeline is filled
    once, and all weights that may be are loaded ahead of their products. If chips
    exchange anything, at least one vector crosses one link.
    """
    steps = workload_steps(plan)
    fill = plan.machine.chip.matmul_fill_cycles
    busy = np.zeros(plan.strategy.width, dtype=np.int64)
    for number, step in enumerate(steps):
        if isinstance(step, Compute) and step.unit is Unit.MATMUL:
            # Nothing is loaded ahead of the first operator of an iteration.
            cycles = step.least_cycles if number else step.cycles
            busy += np.where(step.cycles > 0, cycles - fill, 0)
    most = int(busy.max())
    communicates = any(isinstance(step, Exchange) for step in steps)
    hops = communicates + _transfers(plan)
    return most + fill * (most > 0) + hops * hop_cycles(plan.machine, 1)


def _transfers(plan: WorkloadPlan) -> int:
    """Return the number of stage transfers that send anything."""
    return sum(bool(crossing(plan, stage.first)) for stage in plan.stages[1:])


def critical_path_bound(plan: WorkloadPlan) -> int:
    """Return the closed-form critical-path cost: least cycles of operators in sequence.

    All weights that may be are loaded ahead of their products. A chip's ports bound an
    exchange: the shards of all other members enter or leave through them.
    """
    bound = 0
    for number, step in enumerate(workload_steps(plan)):
        if isinstance(step, Compute):
            # Nothing is loaded ahead of the first operator of an iteration.
            bound += int((step.least_cycles if number else step.cycles).max())
        else:
            bound += _exchange_bound(plan.machine, step)
    return bound + _transfers(plan) * hop_cycles(plan.machine, 1)


def _exchange_bound(machine: MachineSpec, exchange: Exchange) -> int:
    """Return the least cycles of an exchange: one hop with all ports of a chip."""
    together = np.bincount(exchange.teams, weights=exchange.shard_bytes)
    others = together[exchange.teams].astype(np.int64) - exchange.shard_bytes
    # Only the leader, the first chip, must receive all that is sent to it.
    most = others[0] if exchange.pattern is Pattern.TO_LEADER else others.max()
    per_link = machine.link.vector_bytes * machine.chip.ports
    return hop_cycles(machine, max(1, ceil_div(int(most), per_link)))

"""Pass of a workload's plan: one iteration of a graph that is not of a model."""

from functools import partial

from compiler.collectives.exchange_selection import MOST_TRAINS
from compiler.ir.entry_dataflow import GraphScope
from compiler.ir.messages import MessageTable
from compiler.passes.planned_pass import PassBlock, PassStage, PlannedPass
from sharding.operators.operands import Operand
from sharding.operators.operators import Exchange
from sharding.workloads.workload_gathers import crossing_bytes, crossing_shards
from sharding.workloads.workload_operators import workload_steps
from sharding.workloads.workload_plan import WorkloadPlan, WorkloadStage
from sharding.workloads.workload_regions import matrix_names
from specs.errors import ScheduleError
from specs.graph import Role
from topologies.topology import Topology


def graph_pass(plan: WorkloadPlan) -> PlannedPass:
    """Return the planned pass of a workload's plan."""
    stages = tuple(_pass_stage(plan, stage) for stage in plan.stages)
    exchanges = sum(
        isinstance(operator, Exchange)
        for stage in stages
        for block in stage.blocks
        for operator in block.operators()
    )
    return PlannedPass(
        machine=plan.machine,
        stages=stages,
        exchanges=max(1, exchanges),
        returned=MessageTable.of([]),
        returned_operands=tuple,
        least_trains=_no_trains,
        check_trains=partial(_check_trains, plan),
        cuts_phases=True,
    )


def _pass_stage(plan: WorkloadPlan, stage: WorkloadStage) -> PassStage:
    """Return a stage of a pass, with its operators as one block."""
    operators = workload_steps(plan, stage)
    scope = GraphScope(_staying(plan))
    block = PassBlock(
        like=stage.index,
        operators=lambda: operators,
        scope=lambda _number, _received: scope,
        received_bytes=partial(crossing_bytes, plan, stage.first),
        received=partial(_received, plan, stage.first),
    )
    return PassStage(stage.index, stage.chips, (block,))


def _received(plan: WorkloadPlan, number: int) -> tuple[Operand, ...]:
    """Return what each member of a stage receives from its partner."""
    passed = crossing_shards(plan, number)
    return tuple(each for _, shards in passed for each in shards.regions())


def _staying(plan: WorkloadPlan) -> frozenset[str]:
    """Return the names of the values that stay: matrices of weights."""
    return frozenset(
        name
        for tensor in plan.workload.tensors
        if tensor.role is Role.WEIGHTS
        for name in matrix_names(tensor)
    )


def _no_trains(_: Topology) -> int:
    """Return the least trains that are known before any is scheduled: none."""
    return 0


def _check_trains(plan: WorkloadPlan, trains: int) -> None:
    """Refuse a schedule whose trains do not fit into memory."""
    if trains > MOST_TRAINS:
        raise ScheduleError(
            f"{plan.workload.name} as {plan.strategy} takes {trains:,} trains for an "
            f"iteration or more, and {MOST_TRAINS:,} are what 5 GB of memory hold; use "
            f"fewer chips"
        )

"""What the compiler returns: a program, and what is known about it before it runs."""

from dataclasses import dataclass
from typing import Generic, TypeVar, final

from chip.program import Program
from compiler.ir.timeline import Timeline
from compiler.ir.transfers import CycleBreakdown
from sharding.graph.workload_plan import WorkloadPlan
from sharding.planner.plan import ShardingPlan
from topologies.routing.spanning_tree import SpanningTree
from topologies.topology import Topology

PlanT = TypeVar("PlanT", ShardingPlan, WorkloadPlan)


# No slots: a frozen class with them cannot be made by a name that says its plan.
@final
@dataclass(frozen=True, eq=False, kw_only=True)
class PlannedSchedule(Generic[PlanT]):
    """The static schedule of one iteration: a decode token, or a workload once.

    Parameters
    ----------
    plan, topology
        What is scheduled, and on which wiring.
    tree
        Spanning tree along which the chips are aligned, rooted at the leader.
    program
        Every instruction and every train at its cycle.
    timeline
        The chain that the program carries out, with names for traces.
    lower_bound_cycles
        Closed-form bound that no schedule of this plan can beat.
    """

    plan: PlanT
    topology: Topology
    tree: SpanningTree
    program: Program
    timeline: Timeline
    lower_bound_cycles: int

    @property
    def latency_cycles(self) -> int:
        """Return the cycles from an iteration to the next of the same sequence.

        With more sequences than the pipeline can hold, the program's `turn_cycles` are
        among them.
        """
        return self.program.period_cycles

    @property
    def breakdown(self) -> CycleBreakdown:
        """Return where the cycles of an iteration go, from its start to its end.

        With the program's `turn_cycles` the sum is `latency_cycles`.
        """
        spent = self.timeline.spent
        return spent.plus(CycleBreakdown(wait=self.program.token_cycles - spent.total))


Schedule = PlannedSchedule[ShardingPlan]
WorkloadSchedule = PlannedSchedule[WorkloadPlan]

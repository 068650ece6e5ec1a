"""Planned schedule: the compiled program with its plan, timeline and lower bound."""

from dataclasses import dataclass
from typing import Generic, TypeVar, final

from chip.program import Program
from compiler.ir.timeline import Timeline
from compiler.ir.transfers import CycleBreakdown
from sharding.planner.plan import ShardingPlan
from sharding.workloads.workload_plan import WorkloadPlan
from specs.short_repr import html_table, short_repr
from topologies.routing.spanning_tree import SpanningTree
from topologies.topology import Topology

PlanT = TypeVar("PlanT", ShardingPlan, WorkloadPlan)


# No slots: `Schedule(...)`, a subscripted alias, could not set `__orig_class__`.
@final
@dataclass(frozen=True, eq=False, kw_only=True)
class PlannedSchedule(Generic[PlanT]):
    """Static schedule of one iteration: a decode token, or one run of a workload.

    Parameters
    ----------
    plan, topology
        The sharding plan, and the topology for which it is scheduled.
    tree
        Spanning tree along which the chips are aligned, rooted at the leader.
    program
        Every instruction and every train at its cycle.
    timeline
        Timeline that the program implements, with operator names for traces.
    lower_bound_cycles
        Roofline bound that no schedule of this plan can beat.
    """

    plan: PlanT
    topology: Topology
    tree: SpanningTree
    program: Program
    timeline: Timeline
    lower_bound_cycles: int

    __repr__ = short_repr
    _repr_html_ = html_table

    @property
    def latency_cycles(self) -> int:
        """Return the cycles between two iterations of the same sequence.

        With more sequences than the pipeline can hold, they include the program's
        `turn_cycles`.
        """
        return self.program.period_cycles

    @property
    def breakdown(self) -> CycleBreakdown:
        """Return the cycle breakdown of an iteration, from its start to its end.

        With the program's `turn_cycles` the sum is `latency_cycles`.
        """
        spent = self.timeline.spent
        return spent.plus(CycleBreakdown(wait=self.program.token_cycles - spent.total))


Schedule = PlannedSchedule[ShardingPlan]
WorkloadSchedule = PlannedSchedule[WorkloadPlan]

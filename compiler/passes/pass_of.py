"""The planned pass of any plan: of a model, or of another graph."""

from compiler.passes.graph_pass import graph_pass
from compiler.passes.model_pass import model_pass
from compiler.passes.planned_pass import PlannedPass
from sharding.planner.plan import ShardingPlan
from sharding.workloads.workload_plan import WorkloadPlan

AnyPlan = ShardingPlan | WorkloadPlan


def pass_of(plan: AnyPlan) -> PlannedPass:
    """Return the planned pass of a plan of one replica."""
    if isinstance(plan, WorkloadPlan):
        return graph_pass(plan)
    return model_pass(plan)

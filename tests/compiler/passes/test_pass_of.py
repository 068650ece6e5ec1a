from collections.abc import Callable

from compiler.ir.schedule import Schedule
from compiler.passes.pass_of import pass_of
from sharding.workloads.workload_plan import WorkloadPlan

Compile = Callable[..., Schedule]


def test_a_plan_of_a_model_has_a_pass_that_returns_its_token(compiled: Compile) -> None:
    planned = pass_of(compiled(2, 3).plan)
    assert [stage.chips.tolist() for stage in planned.stages] == [
        [0, 1],
        [2, 3],
        [4, 5],
    ]
    assert [message.target for message in planned.returned] == [0, 1]
    assert not planned.cuts_phases


def test_a_plan_of_another_graph_has_a_pass_of_its_operators(
    products: WorkloadPlan,
) -> None:
    planned = pass_of(products)
    operators = planned.stages[0].blocks[0].operators()
    assert [each.name for each in operators] == ["p0", "x1", "p1"]
    assert planned.cuts_phases

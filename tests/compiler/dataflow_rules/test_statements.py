"""What programs state, as the rules read it."""

from collections.abc import Callable

from hypothesis import given, settings

from chip.dataflow import Function
from compiler.compile_decode import compile_token
from compiler.dataflow_rules.statements import Statements, beside
from compiler.verify import verify
from experiments.sabotage.case import SabotageCase
from sharding.planner.plan import ShardingPlan
from specs.errors import ScheduleError
from topologies.selection import select_topology
from workloads.model_graph import graph_of


@given(...)
@settings(max_examples=12)
def test_whatever_compiles_is_proven_to_compute_its_model(plan: ShardingPlan) -> None:
    topology = select_topology(plan.strategy.chips)
    try:
        program = compile_token(plan, topology).program
    except ScheduleError:
        # Chips that drift a lot have no time for deskews in a short token.
        return
    certificate = verify(program, topology, plan.task.machine, plan=plan)
    assert certificate.checks["results follow by the graph"] > 0
    assert certificate.checks["chips have what they read and send, once"] > 0


def test_regions_are_found_by_operator_and_name(
    case_of: Callable[[str], SabotageCase],
) -> None:
    case = case_of("decoder")
    assert isinstance(case.plan, ShardingPlan)
    graph = graph_of(case.plan.task.model, context=32, batch=1)
    statements = Statements(case.program, graph, 1)
    weighing = statements.of(Function.NORM_WEIGH)
    made = statements.written(weighing, statements.output(0))
    # Two chips of a stage have half of the 64 columns each.
    assert set(zip(made.first.tolist(), made.last.tolist(), strict=True)) == {
        (0, 32),
        (32, 64),
    }
    assert not statements.read(weighing, beside("gate")).found.any()
    assert statements.name(int(weighing[0])) == "layers.0.attention.norm"

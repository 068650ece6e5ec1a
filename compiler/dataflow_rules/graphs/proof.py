"""Proof that a program computes a graph that is not of a model.

For `compiler.verify`; independent of the code that makes programs.
"""

from chip.program import Program
from compiler.dataflow_rules.claims import check_marks
from compiler.dataflow_rules.coverage import check_coverage
from compiler.dataflow_rules.graphs.completeness import check_complete, check_stated
from compiler.dataflow_rules.graphs.results import (
    check_graph_memory,
    check_graph_residency,
    check_graph_results,
    check_one_iteration,
    states_there,
)
from compiler.dataflow_rules.graphs.sizes import GraphSizes
from compiler.dataflow_rules.graphs.stated import GraphFacts
from compiler.dataflow_rules.graphs.work import check_graph_work
from compiler.dataflow_rules.instructions import check_instructions
from compiler.dataflow_rules.statements import Statements
from compiler.dataflow_rules.transfers import check_payloads, check_trains
from sharding.workloads.workload_plan import WorkloadPlan
from topologies.topology import Topology
from workloads.graphs.graph_of_workload import graph_of_workload


def graph_checks(
    program: Program, topology: Topology, plan: WorkloadPlan
) -> dict[str, int]:
    """Return the cases of each dataflow rule by which a program computes a graph.

    Parameters
    ----------
    program
        A program that states its dataflow.
    topology
        The topology.
    plan
        The plan, of whose workload an iteration is computed.

    Raises
    ------
    VerificationError
        If the program computes something else.
    """
    graph = graph_of_workload(plan.workload).graph
    statements = Statements(program, graph, expert_groups=1)
    facts = GraphFacts(plan, statements)
    # Before all else, since the others look values and operators up by name.
    stated = check_stated(facts)
    sizes = GraphSizes(facts)
    return {
        "messages travel in full": check_trains(statements, topology, plan.machine),
        "messages are as long as what they carry": check_payloads(
            statements, sizes, sizes.most_shards
        ),
        "all that is stated is executed": check_instructions(statements),
        "results follow by the graph": stated,
        "every part of every operator is computed once": check_complete(facts),
        "instructions are as long as their operations": check_graph_work(facts),
        "chips have what they read and send, once": check_coverage(
            statements, states_there(facts)
        ),
        "weights are where the plan says": check_graph_residency(facts),
        "results arrive in time": check_graph_results(facts),
        "marks, stalls and memory are as stated": check_marks(program, plan.machine)
        + check_graph_memory(facts)
        + check_one_iteration(facts),
    }

import numpy as np
import pytest

from compiler.compile_collective import compile_collective
from compiler.dataflow_rules.collectives.definition import start_and_end
from compiler.dataflow_rules.statements import Statements
from specs.machine import load_machine
from topologies.selection import select_topology
from workloads.collective import Collective
from workloads.operator_graph import OperatorGraph
from workloads.operators import TokenRows

NODE, MACHINE = select_topology(4), load_machine()
ROW = TokenRows(batch=1, context=1, query_tokens=1, answer_tokens=1)
Ends = list[tuple[int, int, int, int]]


@pytest.mark.parametrize(
    ("kind", "start", "end"),
    [
        ("broadcast", [(2, 0, 320, 0)], [(n, 0, 10, 0) for n in (2, 0, 1)]),
        ("all-gather", [(2, 0, 3, 0), (0, 3, 6, 0), (1, 6, 10, 0)], None),
        ("reduce-scatter", None, [(2, 0, 3, 0), (0, 3, 6, 0), (1, 6, 10, 0)]),
        ("all-reduce", [(2, 0, 320, 0), (0, 0, 320, 1), (1, 0, 320, 2)], None),
    ],
)
def test_members_start_and_end_with_what_the_collective_says(
    kind: str, start: Ends | None, end: Ends | None
) -> None:
    chips = np.array([2, 0, 1])
    made = compile_collective(NODE, MACHINE, kind, chips, payload_bytes=10)
    graph = OperatorGraph(name=kind, rows=ROW, blocks=())
    statements = Statements(made.program, graph, 1)
    tables = start_and_end(statements, made.plan, MACHINE.link.vector_bytes)
    count = len(statements.flow.values)
    for table, wanted in zip(tables, (start, end), strict=True):
        rows = table.key // count, table.first, table.last, table.part_first
        if wanted is not None:
            assert list(zip(*(each.tolist() for each in rows), strict=True)) == wanted


def test_slices_of_an_all_to_all_are_whole_vectors_of_each_member() -> None:
    chips = np.array([0, 1])
    made = compile_collective(
        NODE, MACHINE, Collective.ALL_TO_ALL, chips, payload_bytes=700
    )
    graph = OperatorGraph(name="all-to-all", rows=ROW, blocks=())
    _, end = start_and_end(Statements(made.program, graph, 1), made.plan, 320)
    # Half of 700 bytes takes two vectors.
    assert end.first.tolist() == [0, 0, 640, 640]
    assert end.last.tolist() == [640, 640, 1280, 1280]
    assert end.part_first.tolist() == [0, 1, 0, 1]

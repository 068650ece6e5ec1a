from dataclasses import replace

import numpy as np
import pytest

from chip.dataflow import Regions
from chip.operator_work import VectorWork
from compiler.compile_collective import compile_collective
from compiler.dataflow_rules.collectives.work import array_bytes, check_sum_work
from compiler.dataflow_rules.statements import Statements
from specs.errors import VerificationError
from specs.machine import load_machine
from topologies.selection import select_topology
from workloads.operator_graph import OperatorGraph
from workloads.operators import TokenRows

ROW = TokenRows(batch=1, context=1, query_tokens=1, answer_tokens=1)
GRAPH = OperatorGraph(name="all-reduce", rows=ROW, blocks=())


@pytest.mark.parametrize("column", ["elements", "operands"])
@pytest.mark.parametrize("algorithm", ["one-shot", "hierarchical"])
def test_an_addition_of_half_its_bytes_is_refused(column: str, algorithm: str) -> None:
    machine, topology = load_machine(), select_topology(24, "nodes33")
    made = compile_collective(
        topology,
        machine,
        "all-reduce",
        topology.active.astype(np.int64),
        payload_bytes=777,
        algorithm=algorithm,
    ).program
    checked = check_sum_work(Statements(made, GRAPH, 1))
    assert checked == len(made.dataflow.operations) if made.dataflow else 0
    works = [each.work for each in made.kinds]
    half = [
        work._replace(**{column: getattr(work, column) // 2})
        for work in works
        if isinstance(work, VectorWork)
    ]
    kinds = tuple(
        each._replace(work=work) for each, work in zip(made.kinds, half, strict=True)
    )
    with pytest.raises(VerificationError, match="adds up fewer bytes than its regions"):
        check_sum_work(Statements(replace(made, kinds=kinds), GRAPH, 1))


def test_the_parts_of_an_array_are_in_the_same_bytes() -> None:
    # Two ranges of parts of one array of 8 bytes, then an array of 3.
    owner, array = np.array([0, 0, 0]), np.array([0, 0, 1])
    regions = Regions(
        owner=owner.astype(np.int32),
        value=owner.astype(np.int32),
        first=np.array([4, 4, 12], dtype=np.int32),
        last=np.array([12, 12, 15], dtype=np.int32),
        part_first=np.array([0, 2, 0], dtype=np.int32),
        part_last=np.array([1, 3, 1], dtype=np.int32),
        array=array.astype(np.int32),
    )
    assert array_bytes(regions).tolist() == [8, 0, 3]

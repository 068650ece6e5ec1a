from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.collectives.phases import Algorithm
from compiler.compile_collective import compile_collective
from compiler.verify import verify
from experiments.execution.collective_execution import (
    execute_collective,
    largest_difference,
)
from experiments.sabotage.dataflow_edits import with_flow
from experiments.sabotage.program_edits import with_rows
from specs.errors import PlanError, ScheduleError, VerificationError
from specs.machine import load_machine
from topologies.selection import select_topology
from topologies.topology import Topology
from workloads.collective import Collective

MACHINE = load_machine()
VECTOR = MACHINE.link.vector_bytes
TOPOLOGIES = [select_topology(8), select_topology(72), select_topology(264, "nodes33")]


@given(
    topology=st.sampled_from(TOPOLOGIES),
    kind=st.sampled_from(list(Collective)),
    algorithm=st.sampled_from(list(Algorithm)),
    members=st.integers(2, 72),
    payload_bytes=st.integers(1, 3_000),
)
@settings(max_examples=25, deadline=None)
def test_members_end_with_what_numpy_makes(
    topology: Topology,
    kind: Collective,
    algorithm: Algorithm,
    members: int,
    payload_bytes: int,
) -> None:
    # A ring among more takes long.
    most = 12 if algorithm is Algorithm.RING else 72
    count = 2 if kind is Collective.POINT_TO_POINT else min(members, most)
    chips = topology.active[:count].astype(np.int64)
    try:
        made = compile_collective(
            topology,
            MACHINE,
            kind,
            chips,
            payload_bytes=payload_bytes,
            algorithm=algorithm,
        )
    except ScheduleError:
        # It does not apply.
        return
    verify(made.program, topology, MACHINE, plan=made.plan)
    assert largest_difference(made, VECTOR) < 1e-5
    assert largest_difference(made, VECTOR, dtype=np.float64) < 1e-12


def test_a_column_that_is_not_sent_is_missed_at_the_end() -> None:
    node = TOPOLOGIES[0]
    chips = node.active.astype(np.int64)
    made = compile_collective(
        node, MACHINE, "all-gather", chips, payload_bytes=800, algorithm="one-shot"
    )
    flow = made.program.dataflow
    assert flow is not None
    changed = with_rows(flow.carried, 0, last=flow.carried.last[0] - 1)
    less = with_flow(made.program, carried=changed)
    with pytest.raises(VerificationError, match="ends without tensor, columns"):
        largest_difference(replace(made, program=less), VECTOR)


def test_more_numbers_than_can_be_computed_are_refused() -> None:
    with pytest.raises(PlanError, match="2,500,000 bytes at most"):
        execute_collective(
            TOPOLOGIES[0], MACHINE, "all-reduce", payload_bytes=3_000_000
        )

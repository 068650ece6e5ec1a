"""What `check_residency` refuses."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from compiler.dataflow_rules.residency import check_residency
from compiler.dataflow_rules.statements import Statements
from experiments.sabotage.case import SabotageCase
from experiments.sabotage.program_edits import with_rows
from sharding.planner.plan import ShardingPlan
from specs.errors import VerificationError
from workloads.model_graph import graph_of


def test_weights_that_another_chip_has_are_refused(
    case_of: Callable[[str], SabotageCase],
) -> None:
    case = case_of("decoder")
    assert isinstance(case.plan, ShardingPlan)
    graph = graph_of(case.plan.task.model, context=32, batch=1)
    flow = case.flow
    statements = Statements(case.program, graph, 1)
    assert check_residency(statements, case.plan) > 0
    name = "layers.0.attention.query.weight"
    value = [each.name for each in flow.values].index(name)
    row = int(np.flatnonzero(flow.reads.value == value)[0])
    size = flow.reads.last[row]
    moved = with_rows(flow.reads, row, first=size, last=2 * size)
    program = replace(case.program, dataflow=replace(flow, reads=moved))
    chip = flow.operations.chip[flow.reads.owner[row]]
    with pytest.raises(
        VerificationError, match=rf"on chip {chip} .*reads rows {size} to .* of {name}"
    ):
        check_residency(Statements(program, graph, 1), case.plan)

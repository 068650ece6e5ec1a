"""What `check_residency` refuses, and where tokens are."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from compiler.dataflow_rules.residency import check_residency, tokens_at_start
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


def test_tokens_of_every_pass_are_on_some_chips_before_all_else(
    case_of: Callable[[str], SabotageCase],
) -> None:
    case = case_of("prompt")
    assert isinstance(case.plan, ShardingPlan)
    statements = Statements(
        case.program, graph_of(case.plan.task.model, context=32, batch=1), 1
    )
    held = tokens_at_start(statements, np.array([0, 3]))
    chips, values = np.divmod(held.key, len(case.flow.values))
    names = [case.flow.values[place] for place in values.tolist()]
    # A prompt has two passes.
    assert chips.tolist() == [0, 0, 3, 3]
    assert [(each.name, each.number) for each in names] == [
        ("tokens", 0),
        ("tokens", 1),
    ] * 2
    assert held.order.tolist() == [-1] * 4
    for first, last in ((held.first, held.last), (held.part_first, held.part_last)):
        assert (first.tolist(), last.tolist()) == ([0] * 4, [1] * 4)

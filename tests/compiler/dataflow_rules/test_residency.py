"""What `check_residency` refuses, and where tokens are."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from chip.dataflow import Function
from compiler.dataflow_rules.residency import (
    check_cache_order,
    check_mirrors,
    check_residency,
    tokens_at_start,
)
from compiler.dataflow_rules.statements import Statements
from compiler.ir.schedule import Schedule
from compiler.verify import verify
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


def test_keys_that_do_not_get_to_their_mirror_are_refused(
    compiled: Callable[..., Schedule],
) -> None:
    made = compiled(2, 3, failover__kv_cache="mirrored")
    plan, flow = made.plan, made.program.dataflow
    assert flow is not None
    task = plan.task
    graph = graph_of(task.model, task.machine.formats, context=task.context, batch=1)
    # Keys and values of two layers on two chips each.
    statements = Statements(made.program, graph, 1)
    assert check_mirrors(statements, plan) == 8
    names = [value.name for value in flow.values]
    messages = flow.messages
    for reader in ("layers.0.attention.attend", "layers.1.attention.scores"):
        value = names.index(statements.graph[reader].inputs[1])
        row = int(np.flatnonzero(flow.carried.value == value)[0])
        message = int(flow.carried.owner[row])
        wrong = messages.target.copy()
        wrong[message] = messages.source[message]
        astray = replace(flow, messages=replace(messages, target=wrong))
        program = replace(made.program, dataflow=astray)
        with pytest.raises(VerificationError, match=r"does not get to mirror"):
            check_mirrors(Statements(program, graph, 1), plan)


def test_a_program_without_mirrors_is_not_proven_to_mirror(
    compiled: Callable[..., Schedule],
) -> None:
    plain, mirrored = compiled(2, 3), compiled(2, 3, failover__kv_cache="mirrored")
    machine = mirrored.plan.machine
    certificate = verify(
        mirrored.program, mirrored.topology, machine, plan=mirrored.plan
    )
    assert certificate.checks["new keys and values are mirrored"] == 8
    with pytest.raises(VerificationError, match=r"does not get to mirror"):
        verify(plain.program, plain.topology, machine, plan=mirrored.plan)


def test_a_chunk_that_attends_before_the_one_ahead_has_attended_is_refused(
    case_of: Callable[[str], SabotageCase],
) -> None:
    case = case_of("prompt")
    assert isinstance(case.plan, ShardingPlan)
    graph = graph_of(case.plan.task.model, context=32, batch=1)
    flow, code = case.flow, case.program.instructions
    attends = check_cache_order(Statements(case.program, graph, 1))
    kinds = (Function.SCORES, Function.ATTEND)
    assert attends == np.isin(flow.operations.function, kinds).sum() > 0
    second = np.flatnonzero(
        (flow.operations.function == Function.SCORES) & (flow.operations.number == 1)
    )[0]
    chip, operator = flow.operations.chip[second], flow.operations.operator[second]
    rows = np.flatnonzero((code.chip == chip) & (code.operator == operator))
    early = with_rows(code, rows, start_cycle=0)
    program = replace(case.program, instructions=early)
    with pytest.raises(
        VerificationError,
        match=rf"scores on chip {chip} .*before the keys and values of the pass before",
    ):
        check_cache_order(Statements(program, graph, 1))

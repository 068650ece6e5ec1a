"""States: each is replaced once a token, on the chip that has it."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from chip.dataflow import Function
from compiler.compile_prefill import compile_prefill
from compiler.dataflow_rules.linear.states import check_states, state_bytes
from compiler.dataflow_rules.residency import check_cache_order
from compiler.dataflow_rules.statements import Statements
from compiler.ir.schedule import Schedule
from compiler.verify import verify
from sharding.parallelism.strategy import parse_strategy
from sharding.planner.plan import plan_sharding
from sharding.weights.task import Task
from specs.errors import VerificationError
from specs.machine import load_machine
from specs.model import ModelSpec
from topologies.selection import select_topology
from workloads.model_graph import graph_of

DELTA, CONVOLVE = Function.DELTA_RULE, Function.CONVOLVE
ONCE = "do not replace each column of a state just once a token"


def states(program: Any) -> int:
    return check_states(program.statements, program.plan)


def test_every_kind_of_state_is_checked_on_each_chip(
    stated: Callable[[str], Any],
) -> None:
    # The matrices, and what is convolved of queries, keys and values.
    assert states(stated("linear")) == 2 * 4


@pytest.mark.parametrize(
    "edit",
    [
        ("reads", DELTA, "delta_state", {"last": -5}),
        # Both chips replace the state of one head.
        ("reads", DELTA, "delta_state", {"last": 5}),
        ("reads", DELTA, "delta_state", {"first": 10, "last": 10}),
        ("reads", CONVOLVE, "key_state", {"last": -1}),
    ],
)
def test_a_state_that_is_not_replaced_once_is_refused(
    refusal: Callable[..., str], edit: Any
) -> None:
    assert ONCE in refusal(states, "linear", edit)


def test_states_are_kept_in_single_precision(stated: Callable[[str], Any]) -> None:
    program = stated("linear")
    kept = state_bytes(program.statements, program.plan)
    # Two heads of 6 x 5 in FP32; two tokens of 6 + 6 + 10 channels in FP16.
    assert kept[:2].tolist() == [4 * 60 + 2 * 2 * 22] * 2
    assert not np.any(kept[2:])
    decoder = stated("decoder")
    assert not np.any(state_bytes(decoder.statements, decoder.plan))


@cache
def prompt(model: ModelSpec) -> Schedule:
    """Return the prefill of a prompt in two chunks, on two chips."""
    split = parse_strategy("tensor=2", 2)
    topology = select_topology(2, "node")
    task = Task(model, load_machine(), 2, 8, 1)
    chips = topology.active[:2].astype(np.int64)
    return compile_prefill(plan_sharding(task, split, chips), topology, 6, 4).schedule


def stating(prefill: Schedule, **columns: Any) -> Statements:
    """Return what a prompt's program states, with other columns of its operations."""
    program, task = prefill.program, prefill.plan.task
    assert program.dataflow is not None
    operations = replace(program.dataflow.operations, **columns)
    graph = graph_of(task.model, task.machine.formats, context=8, batch=1)
    flow = replace(program.dataflow, operations=operations)
    return Statements(replace(program, dataflow=flow), graph, 1)


def test_chunks_of_a_prompt_replace_each_state_in_turn(
    linear_model: ModelSpec,
) -> None:
    made = prompt(linear_model)
    found = verify(made.program, made.topology, made.plan.task.machine, plan=made.plan)
    # Two passes of two chips, and four kinds of states.
    assert found.checks["every state is read and replaced once a token"] == 2 * 2 * 4


def test_a_state_does_not_change_its_chip(linear_model: ModelSpec) -> None:
    made = prompt(linear_model)
    assert made.program.dataflow is not None
    table = made.program.dataflow.operations
    second = (table.function == DELTA) & (table.number == 1)
    chip = table.chip.copy()
    chip[second] = chip[second][::-1]
    with pytest.raises(
        VerificationError, match="that another pass has on another chip"
    ):
        check_states(stating(made, chip=chip), made.plan)


def test_a_chunk_cannot_read_the_state_before_the_chunk_ahead(
    linear_model: ModelSpec,
) -> None:
    made = prompt(linear_model)
    assert check_cache_order(stating(made)) > 0
    assert made.program.dataflow is not None
    table = made.program.dataflow.operations
    own = np.isin(table.function, (DELTA, CONVOLVE))
    number = table.number.copy()
    # The chunks come in the other order.
    number[own] = 1 - number[own]
    with pytest.raises(
        VerificationError, match="reads a state that it has not replaced"
    ):
        check_cache_order(stating(made, number=number))

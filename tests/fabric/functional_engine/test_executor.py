import re
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import pytest

from chip.dataflow import Dataflow, Regions, Value
from chip.program import Opcode, Program
from fabric.functional_engine.executor import Executed
from specs.errors import SpecError, VerificationError


class FirstToken(Protocol):
    """The fixture."""

    program: Program
    weights: dict[str, Any]

    @property
    def dataflow(self) -> Dataflow: ...

    def executed(self, program: Program | None = None, **given: Any) -> Executed: ...

    def tampered(self, **columns: Any) -> Program: ...


def without(regions: Regions, row: int) -> Regions:
    """Return regions without one of them."""
    names = ("owner", "value", "first", "last", "part_first", "part_last", "array")
    return Regions(**{name: np.delete(getattr(regions, name), row) for name in names})


def test_the_token_comes_back_to_every_chip_of_the_first_stage(
    first_token: FirstToken,
) -> None:
    executed = first_token.executed()
    held = executed.held(Value("head.token", 0, answered=True))
    # Chip 2 chose it, and sent it to chips 0 and 1.
    assert sorted(held) == [0, 1, 2]
    assert len({int(pieces[0].array[0, 0]) for pieces in held.values()}) == 1


def test_chips_hold_no_more_of_a_value_than_their_part(first_token: FirstToken) -> None:
    logits = Value("head.logits", 0, answered=True)
    held = first_token.executed().held(logits)
    columns = {chip: (p[0].first, p[0].last) for chip, p in held.items()}
    assert columns == {2: (0, 128), 3: (128, 256)}
    with pytest.raises(VerificationError, match=r"head\.logits, columns 128-255"):
        first_token.executed().assembled(logits, frozenset([2]), 256)


def test_double_precision_stays_near_single(first_token: FirstToken) -> None:
    logits = Value("head.logits", 0, answered=True)
    single, double = (
        first_token.executed(dtype=dtype).assembled(logits, frozenset([2, 3]), 256)
        for dtype in (np.float32, np.float64)
    )
    assert (single.itemsize, double.itemsize) == (4, 8)
    assert 0 < np.abs(single - double).max() < 1e-5 * np.abs(double).max()


def test_every_region_of_every_message_is_needed(first_token: FirstToken) -> None:
    flow = first_token.dataflow
    token = flow.values.index(Value("head.token", 0, answered=True))
    # Nobody reads the token in the program that returns it.
    needed = np.flatnonzero(flow.carried.value != token)
    assert len(needed) > 20
    for row in needed.tolist():
        name = re.escape(flow.values[flow.carried.value[row]].name)
        program = first_token.tampered(carried=without(flow.carried, row))
        with pytest.raises(VerificationError, match=rf"{name}.* lacks columns"):
            first_token.executed(program)


def test_an_error_names_operator_chip_and_region(first_token: FirstToken) -> None:
    flow = first_token.dataflow
    partial = flow.values.index(Value("layers.0.attention.partial", 0))
    # What chip 0 sends to chip 1: its sum of rows 0-31 of the context.
    to_one = flow.messages.target[flow.carried.owner] == 1
    row = int(np.flatnonzero((flow.carried.value == partial) & to_one)[0])
    program = first_token.tampered(carried=without(flow.carried, row))
    wrong = (
        r"layers\.0\.attention\.reduce on chip 1 \(operator \d+\) reads "
        r"layers\.0\.attention\.partial, but at cycle \d+ it lacks columns 32-63, "
        r"parts 0-31$"
    )
    with pytest.raises(VerificationError, match=wrong):
        first_token.executed(program)


def test_what_arrives_too_late_is_not_there(first_token: FirstToken) -> None:
    columns = first_token.program.instructions
    received = np.flatnonzero(columns.opcode == Opcode.RECEIVE)
    late = columns.duration_cycles.copy()
    late[received[0]] += 1_000_000
    program = replace(
        first_token.program, instructions=replace(columns, duration_cycles=late)
    )
    with pytest.raises(VerificationError, match=r"there from cycle 1\d{6}\)"):
        first_token.executed(program)


def test_an_operation_needs_an_instruction(first_token: FirstToken) -> None:
    operations = first_token.dataflow.operations
    elsewhere = operations.chip.copy()
    elsewhere[-1] = 1
    program = first_token.tampered(operations=replace(operations, chip=elsewhere))
    with pytest.raises(VerificationError, match=r"on chip 1 .* has no instruction"):
        first_token.executed(program)


def test_weights_that_are_not_given_are_named(first_token: FirstToken) -> None:
    fewer = {k: v for k, v in first_token.weights.items() if k != "head.weight"}
    with pytest.raises(SpecError, match=r"logits_product reads head\.weight"):
        first_token.executed(weights=fewer)


def test_wrong_weights_give_other_numbers(first_token: FirstToken) -> None:
    logits = Value("head.logits", 0, answered=True)
    changed = dict(first_token.weights)
    changed["layers.1.feed_forward.down.weight"] = np.zeros((64, 128))
    results = [
        first_token.executed(weights=weights).assembled(logits, frozenset([2, 3]), 256)
        for weights in (first_token.weights, changed)
    ]
    assert not np.allclose(results[0], results[1])


def test_a_program_without_a_dataflow_cannot_be_executed(
    first_token: FirstToken,
) -> None:
    with pytest.raises(VerificationError, match="does not state its dataflow"):
        first_token.executed(replace(first_token.program, dataflow=None))

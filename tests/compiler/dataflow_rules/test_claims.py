"""What `check_claims`, `check_marks`, `check_results` and `check_heads` refuse."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from chip.dataflow import Function
from chip.program import Opcode, Program
from compiler.dataflow_rules.claims import check_heads, check_marks
from compiler.ir.schedule import Schedule
from experiments.sabotage.program_edits import with_rows
from specs.errors import VerificationError

Refused = Callable[..., str]


@pytest.mark.parametrize(
    ("kind", "variant", "why"),
    [
        ("the end marked early", "instructions", "a token ends when it does not"),
        ("the end marked early", "both", "a token ends when it does not"),
        ("the token not brought back", "both", "the token does not return: chip"),
        ("a token before the last is sampled", "both", "the token returns late: chip"),
        ("another leader stated", "statements", "a token begins or ends elsewhere"),
        ("weights stated smaller", "statements", "bytes of weights"),
        ("a cache stated smaller", "statements", "bytes of the KV cache"),
        ("program text stated smaller", "statements", "bytes of program text"),
    ],
)
def test_numbers_that_are_not_what_they_must_be_are_refused(
    refused: Refused, kind: str, variant: str, why: str
) -> None:
    assert why in refused(kind, variant)


def test_attention_cannot_be_left_out(refused: Refused) -> None:
    assert "layers." in refused("attention of a layer deleted", "both")


def heads(program: Any) -> int:
    return check_heads(program.statements, program.plan)


@pytest.mark.parametrize(
    ("program", "edits", "why"),
    [
        (
            "decoder",
            [("writes", Function.SCORES, "scores", {"last": -1})],
            "is one of chips that leave out heads, or parts of a context",
        ),
        (
            "shared heads",
            [("writes", Function.SCORES, "scores", {"part_first": 1, "part_last": 1})],
            "is one of chips that leave out heads, or parts of a context",
        ),
        (
            "shared heads",
            [("reads", Function.COMBINE, "attended", {"part_last": -1})],
            "joins other parts of the context than exist",
        ),
        # The first part of a context has the number of a whole one.
        (
            "shared heads",
            [("writes", Function.ATTEND, "attended", "context")],
            "makes the context of one of several parts, or a part of a whole one",
        ),
        (
            "decoder",
            [("writes", Function.ATTEND, "context", "attended")],
            "makes the context of one of several parts, or a part of a whole one",
        ),
    ],
)
def test_every_head_attends_to_all_parts_of_its_context(
    refusal: Callable[..., str], program: str, edits: list[Any], why: str
) -> None:
    assert refusal(heads, program, *edits) == why


def ending(program: Program, by: int) -> Program:
    """Return a program whose end is marked and stated later."""
    end, code = program.token_cycles + by, program.instructions
    marks = np.flatnonzero((code.opcode == Opcode.MARK) & (code.start_cycle > 0))
    return replace(
        program,
        token_cycles=end,
        period_cycles=end,
        instructions=with_rows(code, marks, start_cycle=end),
    )


def marked_by(program: Program, chip: int) -> Program:
    """Return a program whose marks are on another chip."""
    code = program.instructions
    marks = np.flatnonzero(code.opcode == Opcode.MARK)
    return replace(program, instructions=with_rows(code, marks, chip=chip))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda p: ending(p, 1), r"a token ends when it does not: .* its last event"),
        (lambda p: ending(p, -1), r"a token ends when it does not: .* its last event"),
        (
            lambda p: replace(p, token_cycles=p.token_cycles + 1),
            "a token ends when it does not: its marks are at cycles 0, ",
        ),
        (lambda p: marked_by(p, 1), "chip 1 marks it, and chip 0 is stated to lead"),
        (
            lambda p: replace(p, period_cycles=p.token_cycles - 1),
            "a token begins before the last has ended",
        ),
    ],
)
def test_a_token_ends_with_its_last_event_on_the_chip_that_leads(
    stated: Callable[[str], Any], change: Callable[[Program], Program], why: str
) -> None:
    program, plan = stated("decoder")
    # Two marks, the chip that leads, and the stall.
    assert check_marks(program, plan.machine) == 4
    with pytest.raises(VerificationError, match=why):
        check_marks(change(program), plan.machine)


def test_a_deskew_stalls_for_an_epoch(compiled: Callable[..., Schedule]) -> None:
    schedule = compiled(2, 1)
    deskews, machine = schedule.program.deskews, schedule.plan.machine
    assert len(deskews) == 2
    assert check_marks(schedule.program, machine) == 4
    longer = replace(deskews, stall_cycles=deskews.stall_cycles + 1)
    with pytest.raises(
        VerificationError, match="253 cycles are stated, and an epoch h"
    ):
        check_marks(replace(schedule.program, deskews=longer), machine)

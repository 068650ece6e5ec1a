"""What `check_trains` and `check_payloads` refuse, and what has arrived when."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from chip.dataflow import Function, Messages, Operations, Regions, Value
from chip.program import Opcode
from compiler.dataflow_rules.statements import Statements
from compiler.dataflow_rules.transfers import arrival_operators, arrived_columns
from experiments.sabotage.program_edits import with_rows

Refused = Callable[..., str]


@pytest.mark.parametrize(
    ("kind", "variant", "why"),
    [
        ("a train dropped", "instructions", "other vectors that leave its chip"),
        ("a message dropped", "instructions", "other vectors that leave its chip"),
        ("a message dropped", "statements", "not as long as what it carries"),
        ("a message to another chip", "statements", "trains that reach another chip"),
        ("a partial sum added twice", "statements", r"layers."),
    ],
)
def test_a_message_that_does_not_arrive_as_sent_is_refused(
    refused: Refused, kind: str, variant: str, why: str
) -> None:
    assert why in refused(kind, variant)


def test_a_shorter_train_is_refused(refused: Refused) -> None:
    assert "does not arrive as sent" in refused(
        "a vector dropped", "instructions", "prompt"
    )


def test_a_message_has_arrived_with_the_last_of_its_pieces(
    stated: Callable[[str], Any],
) -> None:
    program = stated("decoder")
    messages = program.flow.messages
    whole = arrival_operators(program.statements)
    assert whole.tolist() == messages.operator.tolist()
    code = program.program.instructions
    receive = int(np.flatnonzero(code.opcode == Opcode.RECEIVE)[-1])
    message = int(program.flow.train_message[code.train[receive]])
    later = with_rows(code, receive, operator=code.operator[receive] + 5)
    pieces = program._replace(program=replace(program.program, instructions=later))
    more = arrival_operators(pieces.statements) - whole
    assert np.flatnonzero(more).tolist() == [message]
    assert more[message] == 5


def columns(*rows: tuple[int, ...]) -> dict[str, Any]:
    """Return owner, columns and parts of regions of the first value."""
    names = ("owner", "first", "last", "part_first", "part_last")
    table = np.array(rows, dtype=np.int32).reshape(-1, 5).T
    none = 0 * table[0]
    return dict(zip(names, table, strict=True), value=none, array=none)


@pytest.fixture
def received(stated: Callable[[str], Any]) -> Statements:
    """Return statements of chip 0, which reads columns 2 to 10 of a value twice.

    Columns 0 to 4 arrive with operator 1, and again with operator 2; 4 to 6 arrive with
    operator 4. With operator 3 the chip adds up what it has of columns 0 to 4.
    """
    source = np.array([1, 1, 1, 0])
    program = stated("decoder").stating(
        values=(Value("x", 0),),
        names=("op",),
        operations=Operations(
            operator=np.array([3, 4, 5], dtype=np.int32),
            chip=np.zeros(3, dtype=np.int32),
            name=np.zeros(3, dtype=np.int32),
            number=np.zeros(3, dtype=np.int32),
            function=np.array(
                [Function.PARTIAL_SUM, Function.ADD, Function.ADD], dtype=np.int8
            ),
        ),
        reads=Regions(**columns((0, 0, 4, 0, 2), (1, 2, 10, 0, 2), (2, 2, 10, 0, 2))),
        writes=Regions(**columns((0, 0, 4, 0, 2))),
        messages=Messages(
            operator=np.array([1, 2, 4, 1], dtype=np.int32),
            source=source.astype(np.int32),
            target=(1 - source).astype(np.int32),
            payload_bytes=np.array([4, 4, 2, 9]),
        ),
        carried=Regions(
            **columns(
                (0, 0, 4, 0, 1), (1, 0, 4, 1, 2), (2, 4, 6, 0, 2), (3, 0, 9, 0, 1)
            )
        ),
    )
    statements: Statements = program.statements
    return statements


def test_columns_have_arrived_for_what_is_done_after_them_on_their_chip(
    received: Statements,
) -> None:
    # Two arrays of four columns are there to be added up.
    assert arrived_columns(received, np.array([0])).tolist() == [8]
    # Columns 2 and 3 of the sum, with what comes after it: 4 and 5 for the last read.
    assert arrived_columns(received, np.array([1, 2])).tolist() == [2, 4]


def test_a_sum_that_a_chip_has_made_need_not_be_counted(received: Statements) -> None:
    arrived = arrived_columns(received, np.array([0, 1, 2]), with_sums=False)
    assert arrived.tolist() == [8, 0, 2]

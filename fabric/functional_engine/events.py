"""Events of a program: when operations run, and when messages leave and arrive."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chip.dataflow import Dataflow
from chip.program import Instructions, Opcode, Program
from specs.arrays import Ints
from specs.errors import VerificationError

_COMPUTES = (Opcode.READ, Opcode.MATMUL, Opcode.VECTOR)


class Event(NamedTuple):
    """Event: an operation or a message.

    Attributes
    ----------
    cycle
        Cycle at which what it reads must be there.
    end_cycle
        Cycle from which what it makes or brings is there.
    is_message
        Whether it is a message.
    number
        Row of `Dataflow.operations` or `Dataflow.messages`.
    """

    cycle: int
    end_cycle: int
    is_message: bool
    number: int


def events_of(program: Program, dataflow: Dataflow) -> list[Event]:
    """Return the events that the functional engine executes, by their cycles.

    Operations that are chained in one instruction follow each other.

    Raises
    ------
    VerificationError
        If an operation has no instruction, or a message that carries something is not
        sent or not received.
    """
    operations = _operation_cycles(program, dataflow)
    messages = _message_cycles(program, dataflow)
    events = [
        Event(begin, end, False, n)
        for n, (begin, end) in enumerate(operations.tolist())
    ]
    events += [
        Event(begin, end, True, n)
        for n, (begin, end) in enumerate(messages.tolist())
        if end >= 0
    ]
    return sorted(events)


def _operation_cycles(program: Program, dataflow: Dataflow) -> Ints:
    """Return the first and the end cycle of each operation's instruction."""
    instructions, operations = program.instructions, dataflow.operations
    rows = np.flatnonzero(np.isin(instructions.opcode, _COMPUTES))
    operator = instructions.operator[rows].astype(np.int64)
    keys, place = np.unique(
        operator * program.chips + instructions.chip[rows], return_inverse=True
    )
    first, end = _spans(instructions, rows, place, len(keys))
    wanted = operations.operator.astype(np.int64) * program.chips + operations.chip
    found = np.searchsorted(keys, wanted)
    known = found < len(keys)
    known[known] = keys[found[known]] == wanted[known]
    if not known.all():
        lost = int(np.flatnonzero(~known)[0])
        raise VerificationError(
            f"{dataflow.names[operations.name[lost]]} on chip {operations.chip[lost]} "
            f"(operator {operations.operator[lost]}) has no instruction"
        )
    return np.column_stack((first[found], end[found]))


def _message_cycles(program: Program, dataflow: Dataflow) -> Ints:
    """Return when each message is sent first, and received last; -1 if it is empty."""
    instructions, messages = program.instructions, dataflow.messages
    trains = instructions.train
    sent = np.flatnonzero(instructions.opcode == Opcode.SEND)
    received = np.flatnonzero(instructions.opcode == Opcode.RECEIVE)
    # Chips on the way receive and forward a train too.
    last_hop = messages.target[dataflow.train_message[trains[received]]]
    received = received[instructions.chip[received] == last_hop]
    count = len(messages)
    first, _ = _spans(instructions, sent, dataflow.train_message[trains[sent]], count)
    _, end = _spans(
        instructions, received, dataflow.train_message[trains[received]], count
    )
    carrying = np.bincount(dataflow.carried.owner, minlength=count) > 0
    lost = np.flatnonzero(carrying & ((end < 0) | (first == _NEVER)))
    if len(lost):
        one = int(lost[0])
        raise VerificationError(
            f"a message of operator {messages.operator[one]} from chip "
            f"{messages.source[one]} to chip {messages.target[one]} carries values, "
            f"but no vectors"
        )
    return np.column_stack((first, np.where(carrying, end, -1)))


_NEVER = np.iinfo(np.int64).max


def _spans(
    instructions: Instructions, rows: Ints, place: NDArray[np.integer], count: int
) -> tuple[Ints, Ints]:
    """Return the first start and last end of the instructions at each place."""
    first = np.full(count, _NEVER, dtype=np.int64)
    end = np.full(count, -1, dtype=np.int64)
    start = instructions.start_cycle[rows]
    np.minimum.at(first, place, start)
    np.maximum.at(end, place, start + instructions.duration_cycles[rows])
    return first, end

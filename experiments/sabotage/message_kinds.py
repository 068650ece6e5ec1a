"""Sabotage of messages: vectors, trains, messages and exchanges that do not arrive."""

from dataclasses import replace

import numpy as np

from chip.program import Opcode, Program
from experiments.sabotage.case import Sabotage, SabotageCase
from experiments.sabotage.dataflow_edits import (
    values_like,
    with_flow,
    without_messages,
    without_regions,
)
from experiments.sabotage.program_edits import (
    chosen_rows,
    routes_of,
    sorted_code,
    with_rows,
    with_vectors,
    without_trains,
)
from specs.arrays import Ints

Random = np.random.Generator


def _shorter(case: SabotageCase, random: Random, left: str) -> Program | None:
    """Send a train with fewer vectors: one fewer, or as many as chance leaves."""
    trains = case.program.trains
    firsts = np.flatnonzero((trains.previous < 0) & (trains.vectors > 1))
    if not len(firsts):
        return None
    first = int(random.choice(firsts))
    count = int(trains.vectors[first])
    fewer = count - 1 if left == "one fewer" else int(random.integers(1, count))
    return with_vectors(case.program, first, fewer)


def _one_vector(case: SabotageCase, random: Random) -> Program | None:
    return _shorter(case, random, "one fewer")


def _fewer_vectors(case: SabotageCase, random: Random) -> Program | None:
    return _shorter(case, random, "any")


def _stated(
    case: SabotageCase, made: Program | None, *, regions: bool
) -> Program | None:
    """State fewer bytes of the messages whose trains have become shorter."""
    if made is None:
        return None
    flow, message = case.flow, case.flow.train_message
    first = case.program.trains.previous < 0
    gone = case.program.trains.vectors - made.trains.vectors
    size = case.machine.link.vector_bytes
    rows = np.unique(message[first & (gone > 0)])
    lost = np.bincount(message[first], gone[first] * size, len(flow.messages))
    payload = np.maximum(1, flow.messages.payload_bytes - lost.astype(np.int64))
    made = with_flow(made, messages=replace(flow.messages, payload_bytes=payload))
    if not regions:
        return made
    # What it carries has as many columns fewer as it is shorter.
    own = np.flatnonzero(np.isin(flow.carried.owner, rows))
    share = payload[rows[0]] / flow.messages.payload_bytes[rows[0]]
    width = flow.carried.last[own] - flow.carried.first[own]
    last = flow.carried.first[own] + np.maximum(1, (width * share).astype(np.int64))
    return with_flow(made, carried=with_rows(flow.carried, own, last=last))


def _one_vector_stated(case: SabotageCase, random: Random) -> Program | None:
    return _stated(case, _one_vector(case, random), regions=False)


def _one_vector_agreed(case: SabotageCase, random: Random) -> Program | None:
    return _stated(case, _one_vector(case, random), regions=True)


def _fewer_vectors_agreed(case: SabotageCase, random: Random) -> Program | None:
    return _stated(case, _fewer_vectors(case, random), regions=True)


def _train(case: SabotageCase, random: Random) -> Program | None:
    routes = routes_of(case.program)
    if not len(routes):
        return None
    dropped = np.flatnonzero(routes == random.choice(np.unique(routes)))
    return without_trains(case.program, dropped)


def _sends_only(case: SabotageCase, random: Random) -> Program | None:
    """Drop what sends a train, and leave what receives it."""
    code = case.program.instructions
    sends = np.flatnonzero(code.opcode == Opcode.SEND)
    if not len(sends):
        return None
    kept = np.delete(np.arange(len(code)), random.choice(sends))
    return replace(case.program, instructions=chosen_rows(code, kept))


def _trains_of(case: SabotageCase, messages: Ints) -> Ints:
    return np.flatnonzero(np.isin(case.flow.train_message, messages))


def _message(case: SabotageCase, random: Random) -> Ints:
    return np.array([random.integers(len(case.flow.messages))])


def _exchange(case: SabotageCase, random: Random) -> Ints:
    operators = case.flow.messages.operator
    return np.flatnonzero(operators == random.choice(np.unique(operators)))


def _every(case: SabotageCase, _random: Random) -> Ints:
    return np.arange(len(case.flow.messages))


def _token_back(case: SabotageCase, random: Random) -> Ints:
    """Return one or all of the messages that bring the token back."""
    carried = case.flow.carried
    tokens = values_like(case.flow, "head.token")
    own = np.unique(carried.owner[np.isin(carried.value, tokens)]).astype(np.int64)
    if len(own) and random.integers(2):
        own = own[[random.integers(len(own))]]
    return own


_CHOICES = {
    "a message dropped": _message,
    "an exchange dropped": _exchange,
    "all messages dropped": _every,
    "the token not brought back": _token_back,
}


def _dropped(kind: str, variant: str) -> Sabotage:
    """Return the sabotage that drops some messages."""

    def change(case: SabotageCase, random: Random) -> Program | None:
        messages = _CHOICES[kind](case, random)
        if not len(messages):
            return None
        if variant == "instructions":
            return without_trains(case.program, _trains_of(case, messages))
        if variant == "both":
            return without_messages(case.program, messages)
        carried = case.flow.carried
        rows = np.flatnonzero(np.isin(carried.owner, messages))
        return with_flow(case.program, carried=without_regions(carried, rows))

    return Sabotage(kind, variant, change, is_random=kind != "all messages dropped")


def _misdirected(case: SabotageCase, random: Random) -> Program | None:
    """Send a train over another link of its chip, to where no one waits for it."""
    topology, trains = case.topology, case.program.trains
    if not len(trains):
        return None
    train = int(random.integers(len(trains)))
    link = int(trains.link[train])
    from_here = np.flatnonzero(topology.source == topology.source[link])
    others = np.setdiff1d(from_here, link)
    used = np.isin(topology.target[others], case.program.instructions.chip)
    others = others[used] if used.any() else others
    if not len(others):
        return None
    other = int(random.choice(others))
    code = case.program.instructions
    sends = np.flatnonzero((code.train == train) & (code.opcode != Opcode.RECEIVE))
    takes = np.flatnonzero((code.train == train) & (code.opcode == Opcode.RECEIVE))
    code = with_rows(code, sends, port=topology.source_port[other])
    code = with_rows(
        code, takes, chip=topology.target[other], port=topology.target_port[other]
    )
    return replace(
        case.program,
        instructions=sorted_code(code),
        trains=with_rows(trains, train, link=other),
    )


def _other_target(case: SabotageCase, random: Random) -> Program | None:
    """State that a message goes to another chip."""
    messages = case.flow.messages
    if not len(messages):
        return None
    row = int(random.integers(len(messages)))
    others = np.setdiff1d(case.topology.active, messages.target[row])
    changed = with_rows(messages, row, target=random.choice(others))
    return with_flow(case.program, messages=changed)


def _misdirected_stated(case: SabotageCase, random: Random) -> Program | None:
    """Send a message of one train to another neighbour, and state so."""
    made = _misdirected(case, random)
    if made is None:
        return None
    train = int(np.flatnonzero(made.trains.link != case.program.trains.link)[0])
    row = int(case.flow.train_message[train])
    target = case.topology.target[made.trains.link[train]]
    return with_flow(made, messages=with_rows(case.flow.messages, row, target=target))


MESSAGE_KINDS = (
    Sabotage("a vector dropped", "instructions", _one_vector),
    Sabotage("a vector dropped", "statements", _one_vector_stated),
    Sabotage("a vector dropped", "both", _one_vector_agreed),
    Sabotage("a train shortened", "instructions", _fewer_vectors),
    Sabotage("a train shortened", "both", _fewer_vectors_agreed),
    Sabotage("a train dropped", "instructions", _train),
    Sabotage("a train received and never sent", "instructions", _sends_only, False),
    *(
        _dropped(kind, variant)
        for kind in _CHOICES
        for variant in ("instructions", "statements", "both")
    ),
    Sabotage("a message to another chip", "instructions", _misdirected),
    Sabotage("a message to another chip", "statements", _other_target),
    Sabotage("a message to another chip", "both", _misdirected_stated),
)

"""Transfer rules: messages travel in full, and are as long as what they carry.

For `compiler.verify`; independent of the code that makes programs.
"""

from typing import Protocol

import numpy as np

from chip.dataflow import Function, Regions
from chip.program import Opcode
from compiler.dataflow_rules.regions import begins_of_arrays
from compiler.dataflow_rules.statements import Statements
from compiler.hazard_rules.structure import violation
from specs.arrays import Ints
from specs.machine import MachineSpec
from topologies.topology import Topology

_NEVER = np.iinfo(np.int64).max


def check_trains(
    statements: Statements, topology: Topology, machine: MachineSpec
) -> int:
    """Train dataflow rule: refuse trains that lose a message."""
    trains, messages = statements.program.trains, statements.flow.messages
    of = statements.flow.train_message.astype(np.int64)
    if len(of) != len(trains) or (
        len(of) and not 0 <= of.min() <= of.max() < len(messages)
    ):
        raise violation(
            "a train is of no message", f"{len(trains)} trains, {len(of)} of"
        )
    later = np.flatnonzero(trains.previous >= 0)
    _refuse(
        of[later] != of[trains.previous[later]],
        of[later],
        statements,
        "changes into another message on its way",
    )
    relayed = np.zeros(len(trains), dtype=bool)
    relayed[trains.previous[later]] = True
    size = machine.link.vector_bytes
    vectors = np.maximum(1, -(-messages.payload_bytes // size))
    for rows, ends, chips, what in (
        (
            np.flatnonzero(trains.previous < 0),
            topology.source,
            messages.source,
            "leave",
        ),
        (np.flatnonzero(~relayed), topology.target, messages.target, "reach"),
    ):
        wrong = ends[trains.link[rows]] != chips[of[rows]]
        _refuse(wrong, of[rows], statements, f"has trains that {what} another chip")
        moved = np.bincount(
            of[rows], weights=trains.vectors[rows], minlength=len(messages)
        ).astype(np.int64)
        _refuse(
            moved != vectors,
            np.arange(len(messages)),
            statements,
            f"has other vectors that {what} its chip than its bytes take",
        )
    code = statements.program.instructions
    moves = np.flatnonzero(
        np.isin(code.opcode, (Opcode.SEND, Opcode.FORWARD, Opcode.RECEIVE))
    )
    message = of[code.train[moves]]
    # A message may be sent in pieces; it begins with the first.
    first = np.full(len(messages), _NEVER)
    np.minimum.at(first, message, code.operator[moves])
    _refuse(
        first[message] != messages.operator[message],
        message,
        statements,
        "is moved by instructions of another operator",
    )
    return len(trains) + len(messages)


def arrival_operators(statements: Statements) -> Ints:
    """Return, for dataflow rules, the operator with which each message has arrived."""
    code, messages = statements.program.instructions, statements.flow.messages
    moves = np.flatnonzero(code.opcode == Opcode.RECEIVE)
    arrived = messages.operator.astype(np.int64)
    message = statements.flow.train_message[code.train[moves]]
    np.maximum.at(arrived, message, code.operator[moves])
    return arrived


def arrived_columns(
    statements: Statements, rows: Ints, *, with_sums: bool = True
) -> Ints:
    """Return, for dataflow rules, the columns of arrays that are there for regions.

    Arrays that a chip has added up are one from then on; without `with_sums` it is not
    counted.
    """
    flow, count = statements.flow, len(statements.flow.values)
    operations, messages = flow.operations, flow.messages
    wanted = np.zeros(count, dtype=bool)
    wanted[flow.reads.value[rows]] = True
    sums = operations.function == Function.PARTIAL_SUM
    none = np.zeros(len(messages), dtype=bool)
    blocks = []
    for regions, chip, operator, summed in (
        (flow.carried, messages.target, messages.operator, none),
        (flow.writes, operations.chip, operations.operator, sums),
    ):
        own = np.flatnonzero(wanted[regions.value] & begins_of_arrays(regions))
        owner = regions.owner[own]
        key = chip[owner].astype(np.int64) * count + regions.value[own]
        edges = regions.first[own], regions.last[own]
        blocks.append(np.array([key, *edges, operator[owner], summed[owner]]))
    there = np.concatenate(blocks, axis=1)
    there = there[:, np.argsort(there[0], kind="stable")]
    reads = flow.reads
    owner = reads.owner[rows]
    key = operations.chip[owner].astype(np.int64) * count + reads.value[rows]
    low = np.searchsorted(there[0], key)
    found = np.searchsorted(there[0], key, "right") - low
    row = np.repeat(np.arange(len(rows)), found)
    at = np.repeat(low - np.cumsum(found) + found, found) + np.arange(len(row))
    shared = np.minimum(there[2, at], reads.last[rows[row]])
    shared -= np.maximum(there[1, at], reads.first[rows[row]])
    meets = (shared > 0) & (there[3, at] < operations.operator[owner][row])
    row, at, shared = row[meets], at[meets], shared[meets]
    # What was there when the last sum was made is in it.
    last = np.full(len(rows), -1, dtype=np.int64)
    summed = there[4, at] == 1
    np.maximum.at(last, row[summed], there[3, at[summed]])
    kept = (there[3, at] >= last[row]) & (with_sums | ~summed)
    total = np.zeros(len(rows), dtype=np.int64)
    np.add.at(total, row[kept], shared[kept])
    return total


class CarriedSizes(Protocol):
    """Sizes, for dataflow rules, of what messages carry."""

    def carried_bits(self, regions: Regions) -> Ints:
        """Return, for dataflow rules, the bits of regions, shape ``(regions,)``."""


def check_payloads(
    statements: Statements, sizes: CarriedSizes, most_shards: int = 1
) -> int:
    """Payload dataflow rule: refuse a message of a wrong length.

    Parameters
    ----------
    statements, sizes
        The program's statements, and the sizes of what it sends.
    most_shards
        Shards of a message at most, each of whole bytes.
    """
    messages, carried = statements.flow.messages, statements.flow.carried
    bits = sizes.carried_bits(carried)
    total = np.zeros(len(messages), dtype=np.int64)
    np.add.at(total, carried.owner, bits)
    needed = -(-total // 8)
    more = messages.payload_bytes - needed
    _refuse(
        (more < 0) | (more >= most_shards) | (total == 0),
        np.arange(len(messages)),
        statements,
        "is not as long as what it carries",
    )
    return len(messages)


def _refuse(
    wrong: np.ndarray, message: Ints, statements: Statements, what: str
) -> None:
    """Refuse the first wrong message, with its ends and its cycle."""
    rows = np.flatnonzero(wrong)
    if not len(rows):
        return
    row = int(message[rows[0]])
    messages = statements.flow.messages
    source, target = int(messages.source[row]), int(messages.target[row])
    when = statements.when(source, int(messages.operator[row]))
    raise violation(
        "a message does not arrive as sent",
        f"the message from chip {source} to chip {target} ({when}) of "
        f"{statements.content_of(row)} {what}",
    )

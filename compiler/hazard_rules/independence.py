"""Independence rule: what an operator takes is not made by one that still runs.

For `compiler.verify`; independent of the code that makes programs. Operators of a chip
follow each other by their numbers. One may begin while another one runs only if, by
what the program states, it reads and sends nothing of what that one makes or brings.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chip.dataflow import Dataflow, Regions
from chip.program import Opcode, Program
from specs.arrays import Ints


class _Table(NamedTuple):
    """Regions that operators of chips make or take, ascending by key.

    Attributes
    ----------
    key
        Operator and chip in one number.
    regions
        Value, and the four edges of each region, shape ``(5, regions)``.
    """

    key: Ints
    regions: Ints


def first_dependent(
    program: Program, chip: Ints, number: Ints, cycles: tuple[Ints, Ints, Ints]
) -> tuple[int, int] | None:
    """Return for a hazard rule an operator that begins before what it takes is there.

    Parameters
    ----------
    program
        The program.
    chip, number
        Chip and number of each operator on each chip.
    cycles
        Number of its chip and pass, by which they ascend; its first cycle and its end.

    Returns
    -------
    tuple of int or None
        Row of the operator and of the one that makes what it takes; None if there is
        none.
    """
    later, earlier = _running(*cycles)
    wrong = ~independent(program, chip[later], number[earlier], number[later])
    if not wrong.any():
        return None
    return int(later[wrong][0]), int(earlier[wrong][0])


def _running(chip: Ints, begins: Ints, ends: Ints) -> tuple[Ints, Ints]:
    """Return the pairs of an operator and an earlier one that runs when it begins.

    Parameters
    ----------
    chip, begins, ends
        Chip and pass in one number, first cycle and end of each operator, ascending.
    """
    # The latest end up to each operator: chips follow each other on one axis.
    axis = chip * (int(ends.max()) - int(begins.min()) + 1)
    latest = np.maximum.accumulate(ends + axis) - axis
    later, earlier = [], []
    behind = np.arange(1, len(chip))
    distance = 1
    while len(behind):
        before = behind - distance
        behind = behind[(before >= 0) & (chip[before] == chip[behind])]
        before = behind - distance
        meets = begins[behind] < ends[before]
        later.append(behind[meets])
        earlier.append(before[meets])
        behind = behind[begins[behind] < latest[before]]
        distance += 1
    none = np.zeros(0, dtype=np.int64)
    return np.concatenate([none, *later]), np.concatenate([none, *earlier])


def independent(
    program: Program, chip: Ints, earlier: Ints, later: Ints
) -> NDArray[np.bool_]:
    """Return for a hazard rule whether operators may run at the same time.

    Parameters
    ----------
    program
        The program; without a dataflow it does not say that any may.
    chip, earlier, later
        Chip and operators of each pair, shape ``(pairs,)``.
    """
    flow = program.dataflow
    if flow is None:
        return np.zeros(len(chip), dtype=bool)
    made, taken = _made(program, flow), _taken(program, flow)
    apart = np.ones(len(chip), dtype=bool)
    pair, row = _rows(taken, later.astype(np.int64) * program.chips + chip)
    # Of each region that is taken, those of its value that the other makes.
    values = len(flow.values)
    order = np.argsort(made.key * values + made.regions[0], kind="stable")
    keys = (made.key * values + made.regions[0])[order]
    wanted = (earlier.astype(np.int64) * program.chips + chip)[pair] * values
    wanted += taken.regions[0, row]
    low = np.searchsorted(keys, wanted)
    count = np.searchsorted(keys, wanted, "right") - low
    which = np.repeat(np.arange(len(wanted)), count)
    at = order[np.arange(len(which)) + np.repeat(low - np.cumsum(count) + count, count)]
    one, other = made.regions[1:, at], taken.regions[1:, row[which]]
    meets = (one[0] < other[1]) & (other[0] < one[1])
    meets &= (one[2] < other[3]) & (other[2] < one[3])
    apart[pair[which[meets]]] = False
    return apart


def _rows(table: _Table, wanted: Ints) -> tuple[Ints, Ints]:
    """Return the number of each wanted key, and its rows of a table."""
    low = np.searchsorted(table.key, wanted)
    count = np.searchsorted(table.key, wanted, "right") - low
    number = np.repeat(np.arange(len(wanted)), count)
    return number, np.arange(len(number)) + np.repeat(
        low - np.cumsum(count) + count, count
    )


def _made(program: Program, flow: Dataflow) -> _Table:
    """Return what operators make on a chip, or bring there."""
    code = program.instructions
    rows = np.flatnonzero(code.opcode == Opcode.RECEIVE)
    message = flow.train_message[code.train[rows]].astype(np.int64)
    # Every operator that has a share of a message brings all of it.
    brought, first = (
        np.unique(np.array([message, code.operator[rows]], dtype=np.int64), axis=1),
        flow.carried.owner,
    )
    low = np.searchsorted(first, brought[0])
    count = np.searchsorted(first, brought[0], "right") - low
    which = np.repeat(np.arange(brought.shape[1]), count)
    at = np.arange(len(which)) + np.repeat(low - np.cumsum(count) + count, count)
    target = flow.messages.target[brought[0][which]].astype(np.int64)
    return _sorted(
        (_keys(program, flow), flow.writes, np.arange(len(flow.writes))),
        (brought[1][which] * program.chips + target, flow.carried, at),
    )


def _taken(program: Program, flow: Dataflow) -> _Table:
    """Return what operators read on a chip, or send from there."""
    messages = flow.messages
    sent = messages.operator.astype(np.int64) * program.chips + messages.source
    return _sorted(
        (_keys(program, flow, reads=True), flow.reads, np.arange(len(flow.reads))),
        (sent[flow.carried.owner], flow.carried, np.arange(len(flow.carried))),
    )


def _keys(program: Program, flow: Dataflow, *, reads: bool = False) -> Ints:
    """Return operator and chip of each region that operations read or make."""
    table = flow.operations
    owner = (flow.reads if reads else flow.writes).owner
    key = table.operator.astype(np.int64) * program.chips + table.chip
    keys: Ints = key[owner]
    return keys


def _sorted(*parts: tuple[Ints, Regions, Ints]) -> _Table:
    """Return regions of several tables with their keys, ascending."""
    key = np.concatenate([keys for keys, _, _ in parts])
    names = ("value", "first", "last", "part_first", "part_last")
    columns = [
        np.concatenate([getattr(regions, name)[rows] for _, regions, rows in parts])
        for name in names
    ]
    order = np.argsort(key, kind="stable")
    return _Table(key[order], np.array(columns, dtype=np.int64)[:, order])


def passes_of(program: Program) -> Ints:
    """Return the pass of each operator number, for hazard rules, by what it states.

    All are of one pass if some operator is of none, or of several.
    """
    operators = int(program.instructions.operator.max(initial=0)) + 1
    one = np.zeros(operators, dtype=np.int64)
    flow = program.dataflow
    if flow is None or len(flow.passes) < 2:  # noqa: PLR2004
        return one
    numbers = np.array([value.number for value in flow.values], dtype=np.int64)
    operator = np.concatenate(
        [flow.operations.operator, flow.messages.operator[flow.carried.owner]]
    ).astype(np.int64)
    number = np.concatenate([flow.operations.number, numbers[flow.carried.value]])
    known = (operator >= 0) & (operator < operators)
    least, most = one + len(flow.passes), one - 1
    np.minimum.at(least, operator[known], number[known])
    np.maximum.at(most, operator[known], number[known])
    own = program.instructions.operator
    used = np.unique(own[own >= 0])
    if not known.all() or (least[used] != most[used]).any() or (most[used] < 0).any():
        return one
    return most

"""SRAM occupancy of each chip over the time of a token, from its program.

Weights, KV cache, program text and a shard of the residual stream are resident
throughout. Results of operators and received vectors are live until the last operator
of the chip that reads them has ended. Forwarded vectors are live until they are on the
wire.
"""

from typing import NamedTuple

import numpy as np

from chip.operator_work import LookupWork
from chip.program import Opcode, Program
from specs.arrays import Ints, row_order
from specs.machine import MachineSpec


class Changes(NamedTuple):
    """Changes of SRAM occupancy, arrays of shape ``(changes,)``.

    Attributes
    ----------
    chip, cycle
        Chip, and first program cycle with the change.
    bytes
        Bytes allocated, or negative bytes freed. All allocations are freed.
    """

    chip: Ints
    cycle: Ints
    bytes: Ints


def activation_changes(program: Program, machine: MachineSpec) -> Changes:
    """Return the chips' SRAM changes of activations for a token of one sequence."""
    own = _result_changes(program, machine)
    forwarded = _forward_changes(program, machine)
    return Changes(
        *(np.concatenate(columns) for columns in zip(own, forwarded, strict=True))
    )


def repeated(changes: Changes, program: Program) -> Changes:
    """Return the changes of a chip's SRAM by all sequences, over two periods.

    The changes of one sequence are repeated at the interval of the sequences.
    """
    if program.sequences == 1:
        return changes
    own = program.interval_cycles * np.arange(program.sequences)
    shifts = np.concatenate([own - program.period_cycles, own])
    return Changes(
        np.tile(changes.chip, len(shifts)),
        (changes.cycle + shifts[:, None]).ravel(),
        np.tile(changes.bytes, len(shifts)),
    )


def held_over_time(changes: Changes) -> Changes:
    """Return the SRAM occupancy of chips after a cycle's changes, by chip and cycle."""
    # Every chip returns to zero, so one cumulative sum serves all.
    order = row_order(changes.chip, changes.cycle)
    chip, cycle = changes.chip[order], changes.cycle[order]
    held = np.cumsum(changes.bytes[order])
    last = np.append((np.diff(chip) != 0) | (np.diff(cycle) != 0), True)[: len(held)]
    return Changes(chip[last], cycle[last], held[last])


def _result_changes(program: Program, machine: MachineSpec) -> Changes:
    """Return a chip's SRAM changes of results and received vectors, until read."""
    code, trains = program.instructions, program.trains
    is_lookup = [isinstance(kind.work, LookupWork) for kind in program.kinds]
    looked_up = np.array([*is_lookup, False])
    worked = np.isin(code.opcode, (Opcode.MATMUL, Opcode.VECTOR))
    worked |= (code.opcode == Opcode.READ) & looked_up[code.kind]
    received = code.opcode == Opcode.RECEIVE
    # A train that is only forwarded is not read by an operator here.
    received[received] = ~np.isin(code.train[received], trains.previous)
    sent = code.opcode == Opcode.SEND
    rows = np.flatnonzero(worked | received | sent)
    order = row_order(code.chip[rows], code.operator[rows])
    rows = rows[order]
    readers = np.array([k.work.readers for k in program.kinds] + [1])
    results = np.array([k.work.result_bytes for k in program.kinds] + [0])
    # A result with no readers has SRAM reserved for it throughout.
    results[readers == 0] = 0
    size = results[code.kind[rows]].astype(np.int64)
    comes = received[rows]
    size[comes] = trains.vectors[code.train[rows[comes]]]
    size[comes] *= machine.link.vector_bytes
    end = code.start_cycle[rows] + code.duration_cycles[rows]
    # The last vector leaves the FIFO one vector's time before the train's end.
    end[comes] += machine.chip.receive_cycles - _vector_cycles(machine)
    opens = np.diff(code.chip[rows], prepend=-1) != 0
    opens |= np.diff(code.operator[rows], prepend=-1) != 0
    first = np.flatnonzero(opens)
    if not len(first):
        return Changes(*np.zeros((3, 0), dtype=np.int64))
    chip = code.chip[rows][first].astype(np.int64)
    ends = np.maximum.reduceat(end, first)
    read_by = np.maximum.reduceat(readers[code.kind[rows]], first)
    # No operator of the chip follows its last ones, so they free their own results.
    last = np.append(np.flatnonzero(np.diff(chip)), len(chip) - 1)
    last = last[np.searchsorted(last, np.arange(len(chip)))]
    begins = np.minimum.reduceat(code.start_cycle[rows], first)
    reader = _following(begins, last) + read_by - 1
    gone = np.maximum(ends, ends[np.minimum(reader, last)])
    kept = size > 0
    place = (np.cumsum(opens) - 1)[kept]
    start, size, where = code.start_cycle[rows][kept], size[kept], chip[place]
    return Changes(
        np.concatenate([where, where]),
        np.concatenate([start, gone[place]]),
        np.concatenate([size, -size]),
    )


def _following(begins: Ints, last: Ints) -> Ints:
    """Return the next operator of each on its chip that begins after it.

    One with a larger number may run beside it on the chip and read nothing of it.

    Parameters
    ----------
    begins, last
        First cycle of each operator, and the last operator of its chip.
    """
    following = np.arange(1, len(begins) + 1)
    early = np.ones(len(begins), dtype=bool)
    while early.any():
        early = (following <= last) & (begins[np.minimum(following, last)] <= begins)
        following = following + early
    return following


def _vector_cycles(machine: MachineSpec) -> int:
    """Return a chip's serialisation cycles of one vector, rounded up."""
    return machine.line.offset_cycles(1)


def _forward_changes(program: Program, machine: MachineSpec) -> Changes:
    """Return SRAM changes of trains that a chip receives and forwards."""
    code, trains = program.instructions, program.trains
    rows = np.flatnonzero(code.opcode == Opcode.FORWARD)
    train = code.train[rows]
    size = trains.vectors[train].astype(np.int64) * machine.link.vector_bytes
    chip = code.chip[rows].astype(np.int64)
    return Changes(
        np.concatenate([chip, chip]),
        np.concatenate(
            [
                trains.receive_cycle[trains.previous[train]],
                code.start_cycle[rows] + code.duration_cycles[rows],
            ]
        ),
        np.concatenate([size, -size]),
    )

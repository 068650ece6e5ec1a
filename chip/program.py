"""Program of all chips: the compiler's output and the simulator's input, as columns.

A program lists the instructions of every chip for one token, each with a start cycle,
the trains that they put on the links, and the RUNTIME_DESKEWs that keep the chips
aligned. Its dataflow states what the instructions compute.
"""

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from chip.dataflow import Dataflow
from chip.functional_units import SliceInstruction
from chip.operator_work import Work
from specs.arrays import row_order
from specs.short_repr import short_repr


class Slice(IntEnum):
    """Functional slice of a chip; a slice executes one instruction at a time."""

    ICU = 0
    MEM = 1
    MXM = 2
    VXM = 3
    C2C_OUT = 4
    C2C_IN = 5


class Opcode(IntEnum):
    """Operation of an instruction."""

    READ = 0
    MATMUL = 1
    VECTOR = 2
    SEND = 3
    FORWARD = 4
    RECEIVE = 5
    MARK = 6
    LOAD = 7


class OperatorKind(NamedTuple):
    """Operators of equal work, with the slice instructions that they lower to.

    Attributes
    ----------
    work
        Work of the operator on the chip.
    steps
        Instructions of its slices, cycles counted from the operator's start.
    """

    work: Work
    steps: tuple[SliceInstruction, ...]


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Instructions:
    """Instructions of one token on all chips, sorted by chip, then start cycle.

    Parameters
    ----------
    chip
        Executing chip, shape ``(instructions,)`` as every column here.
    slice, port
        Functional slice, and the port of a C2C instruction (-1 elsewhere).
    opcode
        An `Opcode`.
    start_cycle, duration_cycles
        First program cycle, and number of cycles the slice is occupied. A SEND or
        FORWARD starts when its first vector enters the wire, a RECEIVE when the first
        vector leaves the receive FIFO.
    train
        Train that a C2C instruction sends or receives, -1 elsewhere.
    operator
        Number of the operator in program order. A chip's instructions of one operator
        end before those of the next start. Only a LOAD is ahead of its operator.
    kind
        Row of `Program.kinds` with the slice instructions, -1 for C2C and marks.
    """

    chip: NDArray[np.int32]
    slice: NDArray[np.int8]
    port: NDArray[np.int16]
    opcode: NDArray[np.int8]
    start_cycle: NDArray[np.int64]
    duration_cycles: NDArray[np.int64]
    train: NDArray[np.int32]
    operator: NDArray[np.int32]
    kind: NDArray[np.int32]

    __repr__ = short_repr

    def __len__(self) -> int:
        """Return the number of instructions."""
        return len(self.chip)


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trains:
    """Trains of one token: sequences of vectors back to back on one link.

    Parameters
    ----------
    link
        Directed link of the topology, shape ``(trains,)`` as every column here.
    vectors
        Vectors in the train.
    wire_cycle
        Program cycle of the sender at which the first vector enters the wire.
    receive_cycle
        Program cycle of the receiver at which the first vector leaves the FIFO.
    previous
        Train of which this one is the next hop, -1 if it starts here.
    """

    link: NDArray[np.int32]
    vectors: NDArray[np.int32]
    wire_cycle: NDArray[np.int64]
    receive_cycle: NDArray[np.int64]
    previous: NDArray[np.int32]

    __repr__ = short_repr

    def __len__(self) -> int:
        """Return the number of trains."""
        return len(self.link)


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Deskews:
    """RUNTIME_DESKEWs of one period, sorted by chip, then start cycle.

    Parameters
    ----------
    chip, start_cycle
        Chip and program cycle within the period, shape ``(deskews,)``.
    stall_cycles
        Nominal length t of each: a RUNTIME_DESKEW takes t +/- the drift it removes.
    interval_cycles
        Longest time between a deskew and a vector that relies on it, for the guard.
    """

    chip: NDArray[np.int32]
    start_cycle: NDArray[np.int64]
    stall_cycles: int
    interval_cycles: int

    __repr__ = short_repr

    def __len__(self) -> int:
        """Return the number of deskews in a period."""
        return len(self.chip)


class Resident(NamedTuple):
    """Bytes resident in each chip's SRAM throughout, arrays of shape ``(chips,)``.

    Attributes
    ----------
    weights, kv_cache
        Weights, and the KV cache of all sequences at full context.
    activations
        Shards of the residual stream of all sequences.
    program
        Bytes reserved for program text.
    """

    weights: NDArray[np.int64]
    kv_cache: NDArray[np.int64]
    activations: NDArray[np.int64]
    program: NDArray[np.int64]

    def __repr__(self) -> str:
        return short_repr(self)


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Program:
    """Program that all chips execute, token after token.

    Sequence ``j`` starts token ``k`` at program cycle ``k * period + j * interval``.

    Parameters
    ----------
    chips
        Chips of the machine.
    instructions, trains
        One token of one sequence.
    kinds
        Work and slice instructions of each kind of operator.
    resident
        Bytes resident in each chip's SRAM throughout.
    deskews
        One period of all sequences.
    period_cycles
        Cycles from a sequence's token to its next.
    token_cycles
        Cycles from a token's start to its end.
    sequences, interval_cycles
        Sequences in flight, and the cycles from the start of one to that of the next.
    leader
        Chip on which a token starts and ends.
    guard_cycles
        Guard band of each receive beyond a link's minimum latency.
    dataflow
        Values that instructions read, make and send; None if they are not stated.
    """

    chips: int
    instructions: Instructions
    trains: Trains
    kinds: tuple[OperatorKind, ...]
    resident: Resident
    deskews: Deskews
    period_cycles: int
    token_cycles: int
    sequences: int
    interval_cycles: int
    leader: int
    guard_cycles: int
    dataflow: Dataflow | None = None

    __repr__ = short_repr

    @property
    def turn_cycles(self) -> int:
        """Return the cycles a sequence waits between one token and its next."""
        return self.period_cycles - self.token_cycles


def instructions_of(columns: dict[str, NDArray[np.int64]]) -> Instructions:
    """Return the chips' instruction table of columns, sorted by chip and start cycle.

    Parameters
    ----------
    columns
        Columns of `Instructions` by name, each of shape ``(instructions,)``.
    """
    order = row_order(
        columns["chip"], columns["start_cycle"], columns["slice"], columns["port"]
    )
    types = {
        "chip": np.int32,
        "slice": np.int8,
        "port": np.int16,
        "opcode": np.int8,
        "start_cycle": np.int64,
        "duration_cycles": np.int64,
        "train": np.int32,
        "operator": np.int32,
        "kind": np.int32,
    }
    assert set(types) == {field.name for field in fields(Instructions)}
    return Instructions(
        **{name: columns[name][order].astype(kind) for name, kind in types.items()}
    )

"""Phases of a collective: messages that start together, and the additions after."""

from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chip.operator_cycles import work_cycles
from chip.operator_work import VectorWork, adding
from compiler.collectives.pieces import PiecesOf, kept, scaled
from compiler.ir.messages import MessageTable
from specs.arrays import Ints
from specs.chip import ChipSpec
from specs.machine import MachineSpec
from specs.units import BITS_PER_BYTE, ceil_div
from workloads.collective import Collective


class Algorithm(StrEnum):
    """Collective algorithm; ``AUTO`` is the fastest of those that apply."""

    AUTO = "auto"
    ONE_SHOT = "one-shot"
    TWO_STEP = "two-step"
    RING = "ring"
    HIERARCHICAL = "hierarchical"
    SPREAD = "spread"


class Sums(NamedTuple):
    """Which of the sums that each member has a phase sends, and what it adds up.

    A member that passes on sums without its own keeps them apart from it.

    Attributes
    ----------
    sent
        Number of the sum that a message carries; sum 0 holds the member's own tensor.
    into, joins
        Sum that holds what arrives, and the sums that are added to that and end in it.
    """

    sent: int = 0
    into: int = 0
    joins: tuple[int, ...] = (0,)


_OWN = Sums()
# Fewer members than this number of bits counts take part in any collective.
_SUMMAND_BITS = 20


class Phase(NamedTuple):
    """Phase: messages that start together, and the additions after all have arrived.

    Attributes
    ----------
    messages
        Messages in order of source and target.
    adds
        Whether targets then add the partial sums that arrived to their own.
    relays
        Whether a message carries only what its source received in the phase before it;
        of a reduce-scatter, in the phase after it, since that runs backwards.
    pieces
        Returns what messages carry; None if that is not recorded. Exchanges of a token
        have `compiler.collectives.contents`.
    sums
        Which sums are sent, if members add.
    summed
        Columns that each chip makes sums of, shape ``(chips,)``; None if the largest
        message to a chip has all of them.
    """

    messages: MessageTable
    adds: bool = False
    relays: bool = False
    pieces: PiecesOf | None = None
    sums: Sums = _OWN
    summed: Ints | None = None

    def turned(self, *, adds: bool = False) -> "Phase":
        """Return the phase in which every target sends to its source.

        A turned all-gather is a reduce-scatter, whose targets add.
        """
        return Phase(self.messages.turned(), adds, pieces=self.pieces)

    def scaled(self, unit_bytes: int) -> "Phase":
        """Return the phase with payloads in bytes, from payloads in units."""
        messages = self.messages
        sizes = messages.payload_bytes * unit_bytes
        return self._replace(
            messages=replace(messages, payload_bytes=sizes),
            pieces=self.pieces and partial(scaled, self.pieces, unit_bytes),
            summed=None if self.summed is None else self.summed * unit_bytes,
        )


def phase(
    source: NDArray[np.integer],
    target: NDArray[np.integer],
    payload: NDArray[np.integer] | int,
    *,
    path: NDArray[np.integer] | None = None,
    adds: bool = False,
    pieces: PiecesOf | None = None,
    sums: Sums = _OWN,
) -> list[Phase]:
    """Return a phase of a collective without empty messages, or none if all are empty.

    Columns are those of `MessageTable`, or one number for all; `pieces` is of all
    messages, also of empty ones.
    """
    columns = np.broadcast_arrays(source, target, payload)
    source, target, size = (column.astype(np.int64).ravel() for column in columns)
    real = (size > 0) & (source != target)
    if not real.any():
        return []
    given = None if path is None else path.astype(np.int64)
    carried = pieces and partial(kept, pieces, real)
    messages = MessageTable(source, target, size, given).chosen(real)
    return [Phase(messages, adds, pieces=carried, sums=sums)]


Phases = Callable[[], tuple[Phase, ...]]


class Candidate(NamedTuple):
    """Candidate: an algorithm that may be the fastest.

    Attributes
    ----------
    algorithm, form
        Algorithm, and its form where it has several.
    steps, messages
        Number of phases, each of which takes at least one hop, and of messages.
    phases
        Returns the phases.
    """

    algorithm: Algorithm
    form: str
    steps: int
    messages: int
    phases: Phases

    def __str__(self) -> str:
        """Return the algorithm with its form."""
        return f"{self.algorithm} {self.form}".rstrip()


class Adding(NamedTuple):
    """Addition after a phase, with one entry for each chip that adds.

    Attributes
    ----------
    chips, works, cycles
        Chip, its vector operation, and the cycles that it takes.
    """

    chips: Ints
    works: tuple[VectorWork, ...]
    cycles: Ints


def adding_up(machine: MachineSpec, made: Phase) -> Adding:
    """Return the addition after a collective's phase: each chip's operation and cycles.

    A chip adds the partial sums that it has received to its own. One pass of the VXM
    adds as many as it has ALUs and streams for.
    """
    sent = made.messages
    if not made.adds or not len(sent):
        none = np.zeros(0, dtype=np.int64)
        return Adding(none, (), none)
    chips, row = np.unique(sent.target, return_inverse=True)
    received = np.bincount(row, weights=sent.payload_bytes).astype(np.int64)
    # Messages from one chip over parallel cables are parts of one partial sum.
    pairs, pair = np.unique(row << 32 | sent.source, return_inverse=True)
    parts = np.bincount(pair, weights=sent.payload_bytes).astype(np.int64)
    held = np.zeros(len(chips), dtype=np.int64)
    if made.summed is not None:
        held = made.summed[chips]
    np.maximum.at(held, pairs >> 32, parts)
    kinds, kind = np.unique(
        _addition_kinds(received, held, len(made.sums.joins)), return_inverse=True
    )
    bits = machine.formats.activations.bits
    known = [_addition(machine.chip, bits, each) for each in kinds.tolist()]
    cycles = np.array([each for _, each in known], dtype=np.int64)
    return Adding(chips, tuple(known[k][0] for k in kind.tolist()), cycles[kind])


def adding_cycles(machine: MachineSpec, received: Ints, held: Ints) -> int:
    """Return the cycles of the longest addition after a collective's phase.

    Parameters
    ----------
    machine
        The chips that add.
    received, held
        Bytes that each chip receives, and those of its largest message, shape
        ``(chips,)``.
    """
    bits = machine.formats.activations.bits
    kinds = np.unique(_addition_kinds(received, held, 1)).tolist()
    return max(_addition(machine.chip, bits, each)[1] for each in kinds)


def _addition_kinds(received: Ints, held: Ints, joins: int) -> Ints:
    """Return a number for each chip's addition: bytes of a sum, and the summands."""
    # The chip adds its own partial sums too.
    summands = -(-received // held) + max(1, joins)
    kinds: Ints = held << _SUMMAND_BITS | summands
    return kinds


@lru_cache(maxsize=1 << 16)
def _addition(chip: ChipSpec, bits: int, kind: int) -> tuple[VectorWork, int]:
    """Return the operation of an addition of some kind, and its cycles."""
    elements = ceil_div((kind >> _SUMMAND_BITS) * BITS_PER_BYTE, bits)
    work = adding(elements, bits, kind & (1 << _SUMMAND_BITS) - 1)
    return work, work_cycles(chip, work)


def bus_factor(kind: Collective, members: int) -> float:
    """Return the part of the tensor that each chip must send or receive in a run.

    >>> bus_factor(Collective.ALL_REDUCE, 8), bus_factor(Collective.BROADCAST, 8)
    (1.75, 1.0)
    """
    if kind in (Collective.BROADCAST, Collective.POINT_TO_POINT):
        return 1.0
    once = (members - 1) / members
    return 2 * once if kind is Collective.ALL_REDUCE else once

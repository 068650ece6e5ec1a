"""Stages of a collective: messages that start together, and the additions after."""

from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chip.operator_cycles import work_cycles
from chip.operator_work import VectorWork, adding
from specs.arrays import Ints
from specs.machine import MachineSpec
from specs.units import BITS_PER_BYTE


class Collective(StrEnum):
    """Collective operation; the values are the keys of the command line."""

    ALL_REDUCE = "all-reduce"
    REDUCE_SCATTER = "reduce-scatter"
    ALL_GATHER = "all-gather"
    BROADCAST = "broadcast"
    ALL_TO_ALL = "all-to-all"
    POINT_TO_POINT = "point-to-point"


class Algorithm(StrEnum):
    """Collective algorithm; ``AUTO`` is the fastest of those that apply."""

    AUTO = "auto"
    ONE_SHOT = "one-shot"
    TWO_STEP = "two-step"
    RING = "ring"
    HIERARCHICAL = "hierarchical"
    SPREAD = "spread"


class CollectiveStage(NamedTuple):
    """Stage: messages that start together; the next starts when all have arrived.

    Attributes
    ----------
    dimension
        Level of the links: chips of a ``node``, nodes of a ``rack``, racks
        (``global``), or any (``direct``).
    source, target
        Chips, shape ``(messages,)``.
    vectors
        Vectors of each message, shape ``(messages,)``, none of them 0.
    path
        Directed links of a message, -1 after the last, shape
        ``(messages, longest path)``; only -1 for the minimal path.
    reduces
        Whether targets add the vectors that arrive to their own.
    """

    dimension: str
    source: Ints
    target: Ints
    vectors: Ints
    path: Ints
    reduces: bool

    def reversed(self) -> "CollectiveStage":
        """Return the reversed stage, in which every target sends to its source.

        A reversed reduction is a broadcast, a reversed reduce-scatter an all-gather.
        Paths that are given must be one link long.
        """
        assert self.path.shape[1] == 1
        # The directions of cable k are the links 2k and 2k + 1.
        back = np.where(self.path >= 0, self.path ^ 1, -1)
        return self._replace(
            source=self.target, target=self.source, path=back, reduces=False
        )


def stage(
    dimension: str,
    source: NDArray[np.integer],
    target: NDArray[np.integer],
    vectors: NDArray[np.integer] | int,
    *,
    link: NDArray[np.integer] | int = -1,
    reduces: bool = False,
) -> list[CollectiveStage]:
    """Return a stage of a collective without empty messages, or none if all are empty.

    Columns are those of `CollectiveStage`, or one number for all; `link` is a path of
    one link, or -1 for the minimal path.
    """
    columns = np.broadcast_arrays(source, target, vectors, link)
    source, target, vectors, link = (c.astype(np.int64).ravel() for c in columns)
    real = (vectors > 0) & (source != target)
    if not real.any():
        return []
    return [
        CollectiveStage(
            dimension,
            source[real],
            target[real],
            vectors[real],
            link[real, None],
            reduces,
        )
    ]


class Adding(NamedTuple):
    """Addition after a stage, with one entry for each chip that adds.

    Attributes
    ----------
    chips, works, cycles
        Chip, its vector operation, and the cycles that it takes.
    """

    chips: Ints
    works: tuple[VectorWork, ...]
    cycles: Ints


def adding_up(machine: MachineSpec, made: CollectiveStage) -> Adding:
    """Return the addition after a collective's stage: each chip's operation and cycles.

    A chip adds the partial sums that it has received to its own. One pass of the VXM
    adds as many as it has ALUs.
    """
    none = np.zeros(0, dtype=np.int64)
    if not made.reduces:
        return Adding(none, (), none)
    chips, row = np.unique(made.target, return_inverse=True)
    received = np.bincount(row, weights=made.vectors).astype(np.int64)
    # Messages from one chip over parallel cables are parts of one partial sum.
    _, first, pair = np.unique(
        np.stack([row, made.source]), axis=1, return_index=True, return_inverse=True
    )
    parts = np.bincount(pair.reshape(-1), weights=made.vectors).astype(np.int64)
    held = np.zeros(len(chips), dtype=np.int64)
    np.maximum.at(held, row[first], parts)
    # The chip adds its own partial sum too.
    summands = -(-received // held) + 1
    kinds, kind = np.unique(np.stack([held, summands]), axis=1, return_inverse=True)
    per_vector = machine.link.vector_bytes * BITS_PER_BYTE
    bits = machine.formats.activations.bits
    works = [
        adding(size * per_vector // bits, bits, terms)
        for size, terms in kinds.T.tolist()
    ]
    cycles = np.array([work_cycles(machine.chip, w) for w in works], dtype=np.int64)
    kind = kind.reshape(-1)
    return Adding(chips, tuple(works[k] for k in kind.tolist()), cycles[kind])


def bus_factor(kind: Collective, members: int) -> float:
    """Return the part of the tensor that each chip must send or receive in a run.

    >>> bus_factor(Collective.ALL_REDUCE, 8), bus_factor(Collective.BROADCAST, 8)
    (1.75, 1.0)
    """
    if kind in (Collective.BROADCAST, Collective.POINT_TO_POINT):
        return 1.0
    once = (members - 1) / members
    return 2 * once if kind is Collective.ALL_REDUCE else once

"""What an operator is: work of a unit on each chip, or an exchange between chips."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import final

import numpy as np
from numpy.typing import NDArray

from chip.operator_cycles import least_cycles, work_cycles
from chip.operator_work import Work
from specs.arrays import Ints
from specs.machine import ChipSpec


class Unit(StrEnum):
    """The part of the chip that an operator keeps busy."""

    MATMUL = "matmul"
    VECTOR = "vector"
    LOOKUP = "lookup"


class Pattern(StrEnum):
    """Who sends what to whom in a tensor group."""

    GATHER = "gather"
    SCATTER = "scatter"
    TO_LEADER = "to_leader"


@final
@dataclass(frozen=True, slots=True, eq=False)
class Compute:
    """An operator that every chip of the group runs on its own slice.

    Parameters
    ----------
    name
        What it is called in traces.
    unit
        What it keeps busy.
    works
        What it asks of each chip, ``width`` of them.
    cycles
        Its time on each chip, shape ``(width,)``; 0 where a chip has no part.
    least_cycles
        The same if all weights that may be were loaded ahead of it.
    """

    name: str
    unit: Unit
    works: tuple[Work, ...]
    cycles: Ints
    least_cycles: Ints


def compute(
    name: str,
    unit: Unit,
    chip: ChipSpec,
    asked: Callable[..., Work],
    *amounts: Ints,
) -> Compute:
    """Return an operator; chips of the same amounts have the same work.

    Parameters
    ----------
    name, unit
        What it is called and keeps busy.
    chip
        The processor.
    asked
        Returns the work of one chip from its amounts.
    amounts
        Columns of shape ``(width,)``.
    """
    rows = list(zip(*(column.tolist() for column in amounts), strict=True))
    works = {row: asked(*row) for row in dict.fromkeys(rows)}
    cycles = {row: work_cycles(chip, work) for row, work in works.items()}
    least = {row: least_cycles(chip, work) for row, work in works.items()}
    return Compute(
        name,
        unit,
        tuple(works[row] for row in rows),
        np.array([cycles[row] for row in rows], dtype=np.int64),
        np.array([least[row] for row in rows], dtype=np.int64),
    )


@final
@dataclass(frozen=True, slots=True, eq=False)
class Exchange:
    """A collective among the chips of the group.

    Parameters
    ----------
    name
        What it is called in traces.
    pattern
        GATHER: every member gets every shard. SCATTER: member j gets everyone's
        contribution to shard j. TO_LEADER: the first member gets every shard.
    shard_bytes
        Size of each member's shard, shape ``(width,)``.
    teams
        Number of each member's team, shape ``(width,)``: only chips of one team
        exchange.
    only
        Which members get what is gathered, or have something to scatter; None for all.
    """

    name: str
    pattern: Pattern
    shard_bytes: Ints
    teams: Ints
    only: NDArray[np.bool_] | None = None


ShardedOperator = Compute | Exchange

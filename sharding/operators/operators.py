"""Operators of a tensor group: work of a unit on each chip, or an exchange."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import final

import numpy as np
from numpy.typing import NDArray

from chip.operator_cycles import least_cycles, work_cycles
from chip.operator_work import Work
from sharding.operators.operands import Operand, Operation
from specs.arrays import Ints
from specs.chip import ChipSpec

# Called when a program is emitted: a search evaluates many more than are emitted.
Operations = Callable[[], tuple[Operation, ...]]
Carried = Callable[[], tuple[Operand, ...]]


def nothing() -> tuple[()]:
    """Return no operations or operands: those of an operator without a graph."""
    return ()


class Unit(StrEnum):
    """The functional unit that an operator occupies."""

    MATMUL = "matmul"
    VECTOR = "vector"
    LOOKUP = "lookup"


class Pattern(StrEnum):
    """The collective of an exchange: all-gather, reduce-scatter, or gather to one."""

    GATHER = "gather"
    SCATTER = "scatter"
    TO_LEADER = "to_leader"


@final
@dataclass(frozen=True, slots=True, eq=False)
class Compute:
    """An operator that every chip of a tensor group runs on its own slice.

    Parameters
    ----------
    name
        Name in traces.
    unit
        Functional unit that it occupies.
    works
        Work of each chip, ``width`` of them.
    cycles
        Cycles on each chip, shape ``(width,)``; 0 on a chip without work.
    least_cycles
        Cycles if all weights that can be loaded before the operator were loaded.
    operations
        Returns what it computes: functions that are chained in one instruction, and the
        regions that they read and make on each chip.
    continues
        Whether it is a product that reads nothing of what the product before it makes,
        so that it may start while that one drains.
    """

    name: str
    unit: Unit
    works: tuple[Work, ...]
    cycles: Ints
    least_cycles: Ints
    operations: Operations = nothing
    continues: bool = False


def compute(
    name: str,
    unit: Unit,
    chip: ChipSpec,
    work_of: Callable[..., Work],
    *amounts: Ints,
    operations: Operations = nothing,
) -> Compute:
    """Return a sharded operator with the work and the cycles of each chip.

    Chips with equal amounts share one evaluation.

    Parameters
    ----------
    name, unit
        Name and functional unit of the operator.
    chip
        The chip that runs it.
    work_of
        Returns the work of one chip from its amounts.
    amounts
        Arguments of `work_of` on each chip, each of shape ``(width,)``.
    operations
        Returns what it computes.
    """
    rows = list(zip(*(column.tolist() for column in amounts), strict=True))
    # Most often all chips have equal amounts.
    distinct = dict.fromkeys(rows)
    known = [work_of(*row) for row in distinct]
    cycles = np.array([work_cycles(chip, work) for work in known], dtype=np.int64)
    least = np.array([least_cycles(chip, work) for work in known], dtype=np.int64)
    if len(known) == 1:
        alike, width = known * len(rows), len(rows)
        return Compute(
            name,
            unit,
            tuple(alike),
            np.repeat(cycles, width),
            np.repeat(least, width),
            operations,
        )
    number = {row: place for place, row in enumerate(distinct)}
    place = [number[row] for row in rows]
    return Compute(
        name,
        unit,
        tuple([known[kind] for kind in place]),
        cycles[place],
        least[place],
        operations,
    )


@final
@dataclass(frozen=True, slots=True, eq=False)
class Exchange:
    """A collective among the chips of a tensor group.

    Parameters
    ----------
    name
        Name in traces.
    pattern
        GATHER is an all-gather: every member receives every shard. SCATTER is the
        exchange of a reduce-scatter: member j receives the contribution of every
        member to shard j. TO_LEADER is a gather: the first member receives every shard.
    shard_bytes
        Bytes of each member's shard, shape ``(width,)``.
    teams
        Number of each member's exchange group, shape ``(width,)``. Only chips of one
        exchange group communicate.
    only
        Members that receive in an all-gather or contribute in a reduce-scatter, None
        for all.
    carries
        Returns what is exchanged: of an all-gather or a gather the regions of each
        member's shard; of a reduce-scatter the columns of each member's shard, with the
        parts that the member itself contributes to every shard.
    attached
        Returns what each member of a reduce-scatter sends beside, to those to whom it
        sends: in a one-shot exchange, all others.
    beside
        Operator that reads nothing of what is exchanged and makes nothing that is sent,
        so that it may run at the same time; None if there is none.
    joined
        Whether shards of a reduce-scatter that lie side by side are sent as one array.
        They are not where each shard has values of its own beside its columns.
    """

    name: str
    pattern: Pattern
    shard_bytes: Ints
    teams: Ints
    only: NDArray[np.bool_] | None = None
    carries: Carried = nothing
    attached: Carried = nothing
    beside: Compute | None = None
    joined: bool = True


ShardedOperator = Compute | Exchange

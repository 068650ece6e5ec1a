"""Operators of a tensor group: work of a unit on each chip, or an exchange."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
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
# A work takes half a kilobyte.
_WORKS_KEPT = 1 << 16
# Rows of several columns are told apart by a single number.
_MOST_CODES = 1 << 62
# Up to so many chips plain tuples are compared in a tenth of the time.
_FEW_CHIPS = 32


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
    kinds, place = _distinct_rows(amounts)
    known = [work_of(*row) for row in kinds]
    cycles = np.array([_cycles(chip, work) for work in known], dtype=np.int64)
    works = np.empty(len(known), dtype=object)
    for kind, work in enumerate(known):
        works[kind] = work
    return Compute(
        name,
        unit,
        tuple(works[place].tolist()),
        cycles[place, 0],
        cycles[place, 1],
        operations,
    )


@lru_cache(maxsize=_WORKS_KEPT, typed=True)
def _cycles(chip: ChipSpec, work: Work) -> tuple[int, int]:
    """Return a chip's cycles of a work, and those with all weights loaded ahead.

    A search meets the works of a tensor group again in most splits of its width.
    """
    return work_cycles(chip, work), least_cycles(chip, work)


def _distinct_rows(columns: tuple[Ints, ...]) -> tuple[list[tuple[int, ...]], Ints]:
    """Return the distinct rows of columns, and the number of each chip's row.

    Most often all chips have equal amounts, or amounts of two kinds.
    """
    if len(columns[0]) <= _FEW_CHIPS:
        rows = list(zip(*(column.tolist() for column in columns), strict=True))
        distinct = sorted(set(rows))
        number = {row: place for place, row in enumerate(distinct)}
        return distinct, np.array([number[row] for row in rows])
    code, codes = np.zeros(len(columns[0]), dtype=np.int64), 1
    for column in columns:
        low = int(column.min())
        values = int(column.max()) - low + 1
        if values == 1:
            continue
        if codes * values > _MOST_CODES:
            code = np.unique(code, return_inverse=True)[1]
            codes = len(code)
        code, codes = code * values + (column - low), codes * values
    if codes == 1:
        return [tuple([int(column[0]) for column in columns])], code
    _, first, place = np.unique(code, return_index=True, return_inverse=True)
    picked = [column[first].tolist() for column in columns]
    return list(zip(*picked, strict=True)), place


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

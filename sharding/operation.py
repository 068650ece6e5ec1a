"""What an operator is: work of a unit on each chip, or an exchange between chips."""

from dataclasses import dataclass
from enum import StrEnum
from typing import final

from sharding.slices import Ints


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
    cycles
        Its time on each chip, shape ``(width,)``; 0 where a chip has no part.
    """

    name: str
    unit: Unit
    cycles: Ints


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
    """

    name: str
    pattern: Pattern
    shard_bytes: Ints
    teams: Ints


Operator = Compute | Exchange

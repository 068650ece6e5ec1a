"""A planned pass: what one pass through a plan's stages consists of, for a scheduler.

A token of a model and an iteration of any other graph are the same to a scheduler:
stages with blocks of sharded operators, and what passes between stages. What schedules
a pass and what bounds it from below are the same walk, with another cost at each step.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Protocol, final

import numpy as np

from compiler.ir.entry_dataflow import GraphScope, Scope
from compiler.ir.messages import MessageTable
from sharding.operators.operands import Operand
from sharding.operators.operators import ShardedOperator
from specs.arrays import Ints
from specs.machine import MachineSpec
from topologies.topology import Topology


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PassBlock:
    """Block of a pass: operators that are planned together.

    Parameters
    ----------
    like
        Equal for blocks with the same operators, also of other passes.
    operators
        Returns its sharded operators in order.
    ways
        Returns the same operators in each way in which exchanges may overlap with
        products, the first without; None if there is no other way.
    scope
        Returns the scope of its names, given the number of the pass and whether it is
        the first block of its stage.
    received_bytes, received
        Return what its stage receives from the stage before, if it is the first: bytes
        of each member, shape ``(width,)``, and the operands.
    """

    like: Hashable
    operators: Callable[[], list[ShardedOperator]]
    scope: Callable[[int, bool], Scope | GraphScope]
    received_bytes: Callable[[], Ints]
    received: Callable[[], tuple[Operand, ...]]
    ways: Callable[[], tuple[list[ShardedOperator], ...]] | None = None

    def all_ways(self) -> tuple[list[ShardedOperator], ...]:
        """Return its operators in each way, the first without overlap."""
        return (self.operators(),) if self.ways is None else self.ways()


@final
@dataclass(frozen=True, slots=True, eq=False)
class PassStage:
    """Stage of a pass: a group of chips, and its blocks in order."""

    index: int
    chips: Ints
    blocks: tuple[PassBlock, ...]


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PlannedPass:
    """Planned pass through the stages of one replica.

    Parameters
    ----------
    machine
        The machine.
    stages
        Stages in order.
    exchanges
        About how many exchanges it has, by which the trains of each are weighed.
    returned, returned_operands
        Messages from the last stage to the first, empty if none; what they carry.
    least_trains, check_trains
        Returns the least trains on a topology; refuses more trains than memory holds.
    cuts_phases
        Whether a phase that is too long for a deskew interval is sent in pieces.
    """

    machine: MachineSpec
    stages: tuple[PassStage, ...]
    exchanges: int
    returned: MessageTable
    returned_operands: Callable[[], tuple[Operand, ...]]
    least_trains: Callable[[Topology], int]
    check_trains: Callable[[int], None]
    cuts_phases: bool = False

    def without_overlap(self) -> "PlannedPass":
        """Return the pass in which no product runs beside an exchange."""
        stages = [
            replace(
                stage, blocks=tuple(replace(each, ways=None) for each in stage.blocks)
            )
            for stage in self.stages
        ]
        return replace(self, stages=tuple(stages))

    def transfer(self, stage: PassStage, following: PassStage) -> MessageTable:
        """Return the messages of a stage transfer: each member sends to its partner.

        Member *i* of `stage` sends to member *i* of `following`, if it has anything.
        """
        sizes = following.blocks[0].received_bytes()
        table = MessageTable(stage.chips, following.chips, sizes)
        return table if (sizes > 0).all() else table.chosen(sizes > 0)

    def transferred(self, following: PassStage) -> tuple[Operand, ...]:
        """Return what the messages of a stage transfer carry, by the row of each."""
        into = following.blocks[0]
        row = np.cumsum(into.received_bytes() > 0) - 1
        return tuple(each._replace(member=row[each.member]) for each in into.received())


class PassSteps(Protocol):
    """What is done at each step of a walk."""

    def block(self, stage: PassStage, block: PassBlock) -> None:
        """Do the operators and exchanges of a block."""

    def stage_transfer(self, stage: PassStage, following: PassStage) -> None:
        """Send what the last block of a stage made to the next stage."""

    def token_return(self, stage: PassStage) -> None:
        """Send the token from the last stage to the first."""


def walk_pass(planned: PlannedPass, steps: PassSteps) -> None:
    """Walk through a planned pass in order, to schedule it or to bound it."""
    for stage in planned.stages:
        for block in stage.blocks:
            steps.block(stage, block)
        if stage.index + 1 == len(planned.stages):
            steps.token_return(stage)
        else:
            steps.stage_transfer(stage, planned.stages[stage.index + 1])

"""What stages compute and send, worked out once for all layers alike."""

from typing import final

import numpy as np

from compiler.collectives.exchange_phases import Phase
from compiler.collectives.exchange_selection import Ways
from compiler.ir.messages import MessageTable
from compiler.routing.message_scheduler import Carrier
from sharding.operators.block_operators import (
    block_operators,
    carried_bytes,
    token_bytes,
)
from sharding.operators.operators import Compute, Exchange
from sharding.planner.plan import ShardingPlan, Stage
from sharding.transformer.blocks import Block
from topologies.topology import Topology


@final
class Layers:
    """Operators and phases of blocks; layers alike share them."""

    def __init__(
        self, plan: ShardingPlan, topology: Topology, transporter: Carrier
    ) -> None:
        self._plan = plan
        self._ways = Ways(
            topology, plan.task.machine, transporter, width=plan.task.tensor
        )
        self._operators: dict[Block, list[Compute | Exchange]] = {}
        self._phases: dict[tuple[int, int], tuple[Phase, ...]] = {}

    def operators(self, block: Block) -> list[Compute | Exchange]:
        """Return the operators of `block`."""
        like = self._plan.task.like(block)
        if like not in self._operators:
            self._operators[like] = block_operators(self._plan.task, like)
        return self._operators[like]

    def phases(self, exchange: Exchange, stage: Stage) -> tuple[Phase, ...]:
        """Return the fastest way to carry out `exchange` on the chips of `stage`."""
        key = (id(exchange), stage.index)
        if key not in self._phases:
            self._phases[key] = self._ways.fastest(exchange, stage.chips)
        return self._phases[key]

    def added_up(self, phase: Phase) -> Compute:
        """Return the adding up of what `phase` brought, where another follows."""
        return self._ways.added_up(phase)


def hand_over(plan: ShardingPlan, stage: Stage, following: Stage) -> MessageTable:
    """Return the messages in which each member hands its shard to its partner."""
    sizes = carried_bytes(plan.task, following.blocks[0])
    return MessageTable(stage.chips, following.chips, sizes)


def way_back(plan: ShardingPlan) -> MessageTable:
    """Return the messages that carry the chosen token to the first stage.

    An encoder chooses none: its pass ends where the last stage does.
    """
    if plan.task.model.structure.encoder or not plan.task.answer_tokens:
        return MessageTable.of([])
    leader = int(plan.stages[-1].chips[0])
    size = token_bytes(plan.task)
    targets = plan.stages[0].chips[plan.stages[0].chips != leader]
    return MessageTable(
        np.full(len(targets), leader, dtype=np.int64),
        targets,
        np.full(len(targets), size, dtype=np.int64),
    )

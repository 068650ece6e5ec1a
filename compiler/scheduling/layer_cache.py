"""What stages compute and send, worked out once for all layers alike."""

from typing import final

from compiler.collectives.exchange_phases import Phase
from compiler.collectives.exchange_selection import ExchangeSelector
from compiler.ir.identity_map import IdentityMap
from compiler.ir.transfers import TransferModel
from sharding.operators.block_operators import (
    block_operators,
)
from sharding.operators.operators import Compute, Exchange
from sharding.planner.plan import ShardingPlan, Stage
from sharding.transformer.blocks import Block
from topologies.topology import Topology


@final
class LayerCache:
    """Operators and phases of blocks; layers alike share them."""

    def __init__(
        self, plan: ShardingPlan, topology: Topology, transporter: TransferModel
    ) -> None:
        self._plan = plan
        self._ways = ExchangeSelector(
            topology, plan.task.machine, transporter, width=plan.task.tensor
        )
        self._operators: dict[Block, list[Compute | Exchange]] = {}
        self._phases: IdentityMap[Exchange, dict[int, tuple[Phase, ...]]] = (
            IdentityMap()
        )

    def operators(self, block: Block) -> list[Compute | Exchange]:
        """Return the operators of `block`."""
        like = self._plan.task.like(block)
        if like not in self._operators:
            self._operators[like] = block_operators(self._plan.task, like)
        return self._operators[like]

    def phases(self, exchange: Exchange, stage: Stage) -> tuple[Phase, ...]:
        """Return the fastest way to carry out `exchange` on the chips of `stage`."""
        known = self._phases.of(exchange, lambda _: {})
        if stage.index not in known:
            known[stage.index] = self._ways.fastest(exchange, stage.chips)
        return known[stage.index]

    def added_up(self, phase: Phase) -> Compute:
        """Return the adding up of what `phase` brought, where another follows."""
        return self._ways.added_up(phase)

"""Cache of layers: operators and phases of a block, computed once for equal blocks."""

from typing import final

from compiler.collectives.contents import (
    PhaseDataflow,
    exchange_dataflow,
    member_hops,
)
from compiler.collectives.exchange_selection import ExchangeSelector, token_exchanges
from compiler.collectives.phases import Phase
from compiler.ir.identity_map import IdentityMap
from compiler.ir.transfers import TransferModel
from sharding.operators.operators import Compute, Exchange
from sharding.partition.block_operators import (
    block_operators,
)
from sharding.planner.plan import ShardingPlan, Stage
from sharding.weights.blocks import Block
from topologies.topology import Topology


@final
class LayerCache:
    """Cache of the operators and phases of blocks, which equal layers share.

    Parameters
    ----------
    plan, topology
        Who holds what, and the topology.
    transfers
        What says how long messages take, by which algorithms are selected.
    """

    def __init__(
        self, plan: ShardingPlan, topology: Topology, transfers: TransferModel
    ) -> None:
        self._plan = plan
        self._selector = ExchangeSelector(
            topology,
            plan.task.machine,
            transfers,
            repeats=token_exchanges(plan.task.model.layers),
        )
        self._operators: dict[Block, list[Compute | Exchange]] = {}
        self._phases: IdentityMap[Exchange, dict[int, tuple[Phase, ...]]] = (
            IdentityMap()
        )
        self._dataflow: IdentityMap[
            Exchange, dict[tuple[bytes, ...], tuple[PhaseDataflow, ...]]
        ] = IdentityMap()

    def operators(self, block: Block) -> list[Compute | Exchange]:
        """Return the operators and exchanges of `block`, in order."""
        like = self._plan.task.like(block)
        if like not in self._operators:
            self._operators[like] = block_operators(self._plan.task, like)
        return self._operators[like]

    def phases(self, exchange: Exchange, stage: Stage) -> tuple[Phase, ...]:
        """Return the phases of the fastest algorithm for `exchange` on a stage."""
        by_stage = self._phases.of(exchange, lambda _: {})
        if stage.index not in by_stage:
            by_stage[stage.index] = self._selector.fastest(exchange, stage.chips)
        return by_stage[stage.index]

    def reduction(self, phase: Phase, stage: Stage) -> Compute:
        """Return the operator that adds up what `phase` brought, 0 cycles if none."""
        return self._selector.added_up(phase, stage.chips)

    def dataflow(self, exchange: Exchange, stage: Stage) -> tuple[PhaseDataflow, ...]:
        """Return what the messages of each phase of `exchange` on a stage carry.

        Stages whose members send to each other alike share it.
        """
        phases = self.phases(exchange, stage)
        ends = member_hops(phases, stage.chips)
        key = tuple(pair.tobytes() for pair in ends)
        known = self._dataflow.of(exchange, lambda _: {})
        if key not in known:
            known[key] = exchange_dataflow(exchange, phases, ends, len(stage.chips))
        return known[key]

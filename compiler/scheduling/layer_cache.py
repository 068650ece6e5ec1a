"""Cache of layers: operators and phases of a block, computed once for equal blocks."""

from functools import cache
from typing import final

from compiler.collectives.contents import (
    PhaseDataflow,
    exchange_dataflow,
    member_hops,
)
from compiler.collectives.exchange_phases import exchange_candidates
from compiler.collectives.exchange_selection import (
    ExchangeSelector,
    most_messages,
    token_exchanges,
)
from compiler.collectives.phases import Candidate, Phase
from compiler.ir.identity_map import IdentityMap
from compiler.ir.transfers import TransferModel
from sharding.operators.operators import Compute, Exchange
from sharding.partition.block_operators import block_operators
from sharding.planner.plan import ShardingPlan, Stage
from sharding.weights.blocks import Block
from topologies.topology import Topology


@final
class BlockCache:
    """Cache of what does not depend on time: operators of blocks, forms of exchanges.

    Every schedule of a plan that is tried shares it.

    Parameters
    ----------
    plan, topology
        Who holds what, and the topology.
    """

    def __init__(self, plan: ShardingPlan, topology: Topology) -> None:
        self._plan = plan
        self._topology = topology
        self.repeats = token_exchanges(plan.task.model.layers)
        self._operators: dict[Block, list[Compute | Exchange]] = {}
        self._candidates: IdentityMap[Exchange, dict[int, list[Candidate]]] = (
            IdentityMap()
        )

    def operators(self, block: Block) -> list[Compute | Exchange]:
        """Return the operators and exchanges of `block`, in order."""
        like = self._plan.task.like(block)
        if like not in self._operators:
            self._operators[like] = block_operators(self._plan.task, like)
        return self._operators[like]

    def candidates(self, exchange: Exchange, stage: Stage) -> list[Candidate]:
        """Return the algorithms that may do `exchange` fastest on a stage."""
        by_stage = self._candidates.of(exchange, lambda _: {})
        if stage.index not in by_stage:
            found = exchange_candidates(
                self._topology,
                exchange,
                stage.chips,
                most_messages=most_messages(self.repeats),
            )
            by_stage[stage.index] = [
                each._replace(phases=cache(each.phases)) for each in found
            ]
        return by_stage[stage.index]


@final
class LayerCache:
    """Cache of the phases of blocks, which equal layers share.

    Parameters
    ----------
    plan, topology
        Who holds what, and the topology.
    transfers
        What says how long messages take, by which algorithms are selected.
    blocks
        Operators and forms of exchanges that other schedules of the plan share, None if
        there are no others.
    """

    def __init__(
        self,
        plan: ShardingPlan,
        topology: Topology,
        transfers: TransferModel,
        blocks: BlockCache | None = None,
    ) -> None:
        self._blocks = blocks or BlockCache(plan, topology)
        self._selector = ExchangeSelector(
            topology, plan.task.machine, transfers, repeats=self._blocks.repeats
        )
        self._phases: IdentityMap[Exchange, dict[int, tuple[Phase, ...]]] = (
            IdentityMap()
        )
        self._dataflow: IdentityMap[
            Exchange, dict[tuple[bytes, ...], tuple[PhaseDataflow, ...]]
        ] = IdentityMap()

    def operators(self, block: Block) -> list[Compute | Exchange]:
        """Return the operators and exchanges of `block`, in order."""
        return self._blocks.operators(block)

    def phases(self, exchange: Exchange, stage: Stage) -> tuple[Phase, ...]:
        """Return the phases of the fastest algorithm for `exchange` on a stage."""
        by_stage = self._phases.of(exchange, lambda _: {})
        if stage.index not in by_stage:
            candidates = self._blocks.candidates(exchange, stage)
            by_stage[stage.index] = self._selector.selected(candidates)[0].phases
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

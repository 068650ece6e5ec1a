"""Cache of layers: operators and phases of a block, computed once for equal blocks."""

from collections.abc import Hashable
from functools import cache, partial
from typing import final

from compiler.collectives.contents import (
    PhaseDataflow,
    exchange_dataflow,
    member_hops,
)
from compiler.collectives.exchange_phases import exchange_candidates, exchange_form
from compiler.collectives.exchange_selection import (
    ExchangeSelector,
    MessageShare,
    most_messages,
)
from compiler.collectives.phases import Candidate, Phase
from compiler.ir.identity_map import IdentityMap
from compiler.ir.messages import MessageTable
from compiler.ir.transfers import TransferModel
from compiler.passes.planned_pass import PassBlock, PassStage, PlannedPass
from compiler.scheduling.block_path import block_path
from compiler.scheduling.weight_prefetch import WeightPrefetcher, Windows
from sharding.operators.operators import Compute, Exchange, ShardedOperator
from topologies.topology import Topology

# Sharded operators of blocks in each way, by what is equal for equal blocks.
BlockOperators = dict[Hashable, tuple[list[ShardedOperator], ...]]


@final
class BlockCache:
    """Cache of what does not depend on time: operators of blocks, forms of exchanges.

    Every schedule of a pass that is tried shares it.

    Parameters
    ----------
    planned, topology
        The pass, and the topology.
    operators
        Operators that are known from passes of other replicas, to which others are
        added; None if there are none.
    """

    def __init__(
        self,
        planned: PlannedPass,
        topology: Topology,
        operators: BlockOperators | None = None,
    ) -> None:
        self.topology = topology
        self.repeats = planned.exchanges
        self._operators = {} if operators is None else operators
        self._forms: IdentityMap[Exchange, Hashable] = IdentityMap()
        self._candidates: dict[tuple[Hashable, int], list[Candidate]] = {}

    def operators(self, block: PassBlock) -> list[ShardedOperator]:
        """Return the operators and exchanges of `block`, in order, without overlap."""
        return self.ways(block)[0]

    def ways(self, block: PassBlock) -> tuple[list[ShardedOperator], ...]:
        """Return the operators of `block` in each way in which exchanges overlap."""
        if block.like not in self._operators:
            self._operators[block.like] = block.all_ways()
        return self._operators[block.like]

    def candidates(self, exchange: Exchange, stage: PassStage) -> list[Candidate]:
        """Return the algorithms that may do `exchange` fastest on a stage."""
        key = self.form(exchange), stage.index
        if key not in self._candidates:
            found = exchange_candidates(
                self.topology,
                exchange,
                stage.chips,
                most_messages=most_messages(self.repeats),
            )
            self._candidates[key] = [
                each._replace(phases=cache(each.phases)) for each in found
            ]
        return self._candidates[key]

    def form(self, exchange: Exchange) -> Hashable:
        """Return what is equal for exchanges that have the same phases on a stage.

        Those of a block are, in all ways in which it may overlap with products.
        """
        return self._forms.of(exchange, exchange_form)


@final
class LayerCache:
    """Cache of the phases of blocks, which equal layers share.

    Parameters
    ----------
    planned
        The pass.
    transfers
        What says how long messages take, by which algorithms are selected.
    blocks
        Operators and forms of exchanges.
    """

    def __init__(
        self, planned: PlannedPass, transfers: TransferModel, blocks: BlockCache
    ) -> None:
        self._blocks = blocks
        self._transfers = transfers
        self._selector = ExchangeSelector(
            planned.machine, transfers, repeats=blocks.repeats
        )
        self._phases: dict[tuple[Hashable, int], tuple[Phase, ...]] = {}
        self._reductions: IdentityMap[Phase, Compute] = IdentityMap()
        self._prefetch = WeightPrefetcher(planned.machine.chip)
        self._fastest: dict[tuple[Hashable, int, Windows], list[ShardedOperator]] = {}
        self._dataflow: IdentityMap[
            Exchange, dict[tuple[bytes, ...], tuple[PhaseDataflow, ...]]
        ] = IdentityMap()

    def operators(self, block: PassBlock) -> list[ShardedOperator]:
        """Return the operators and exchanges of `block`, in order, without overlap."""
        return self._blocks.operators(block)

    def ways(self, block: PassBlock) -> tuple[list[ShardedOperator], ...]:
        """Return the operators of `block` in each way in which exchanges overlap."""
        return self._blocks.ways(block)

    def fastest(
        self, block: PassBlock, stage: PassStage, windows: Windows
    ) -> list[ShardedOperator]:
        """Return the operators of `block` in the way that takes least on a stage.

        Parameters
        ----------
        block, stage
            The block, and its stage.
        windows
            Cycles in which weights may load before the block, relative to its start.
        """
        ways = self.ways(block)
        if len(ways) == 1:
            return ways[0]
        key = block.like, stage.index, windows
        if key not in self._fastest:
            cycles = partial(self._exchange_cycles, stage)
            paths = [
                block_path(way, cycles, self._prefetch, windows).cycles for way in ways
            ]
            self._fastest[key] = ways[paths.index(min(paths))]
        return self._fastest[key]

    def _exchange_cycles(self, stage: PassStage, exchange: Exchange) -> int:
        """Return the cycles of an exchange on a stage, without any wait."""
        return sum(
            self._transfers.transport(phase.messages).duration_cycles
            + int(self.reduction(phase, stage).cycles.max())
            for phase in self.phases(exchange, stage)
        )

    def phases(self, exchange: Exchange, stage: PassStage) -> tuple[Phase, ...]:
        """Return the phases of the fastest algorithm for `exchange` on a stage."""
        key = self._blocks.form(exchange), stage.index
        if key not in self._phases:
            candidates = self._blocks.candidates(exchange, stage)
            self._phases[key] = self._selector.selected(candidates)[0].phases
        return self._phases[key]

    def shares(self, messages: MessageTable, room_cycles: int) -> list[MessageShare]:
        """Return the parts of a phase that each fit between two deskews."""
        return self._selector.shares(messages, room_cycles)

    def reduction(self, phase: Phase, stage: PassStage) -> Compute:
        """Return the operator that adds up what `phase` brought, 0 cycles if none."""
        # A phase is of one stage.
        return self._reductions.of(
            phase, lambda made: self._selector.added_up(made, stage.chips)
        )

    def dataflow(
        self, exchange: Exchange, stage: PassStage
    ) -> tuple[PhaseDataflow, ...]:
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

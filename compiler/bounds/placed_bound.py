"""Placed bound: lower bounds on the pipelines of a split on given chips."""

from dataclasses import replace
from typing import final

import numpy as np

from compiler.bounds.block_bound import BlockBoundCache, least_exchange_cycles
from compiler.bounds.congestion_bound import CongestionBound
from compiler.bounds.exchange_bound import ExchangeBoundCache, ExchangeKey, exchange_key
from compiler.bounds.strategy_bound import SplitBound, model_blocks, transfer_bytes
from compiler.ir.messages import MessageTable
from sharding.operators.operators import Exchange
from sharding.partition.stage_boundary import token_bytes
from sharding.weights.blocks import Block
from specs.arrays import Ints

# Exchanges within KV-head groups.
_OF_HEADS = ("share_qkv", "share_values")


@final
class PlacedSplitBound:
    """Lower bounds on every strategy of a split, on given chips.

    Groups are evaluated one by one, as longer pipelines are asked for.

    Parameters
    ----------
    bound
        The bounds on any topology.
    chips
        The chips in order: stage after stage, member after member.
    links
        The least cycles of messages.
    exchange_bounds
        The least cycles of exchanges, which other splits share.
    block_bounds
        The exchanges of blocks, which other splits share; if None, those of this one
        alone.
    """

    def __init__(
        self,
        bound: SplitBound,
        chips: Ints,
        links: CongestionBound,
        exchange_bounds: ExchangeBoundCache,
        block_bounds: BlockBoundCache | None = None,
    ) -> None:
        self._bound = bound
        self._chips = chips
        self._links = links
        self._block_bounds = block_bounds or BlockBoundCache()
        # Layers of alternating groups count as equal until they are evaluated.
        task = bound.task
        self._equal_layers = self._distinct_exchanges(
            model_blocks(task._replace(attention=0))
        )
        self._all_layers: dict[ExchangeKey, tuple[Exchange, int]] | None = None
        self._exchange_bounds = exchange_bounds
        # Of each exchange the least cycles in the first 1, 2, ... groups, and those of
        # its hops; cycles of all stage transfers among as many.
        self._least: dict[ExchangeKey, list[int]] = {}
        self._near: dict[ExchangeKey, list[int]] = {}
        self._transfers = [0]

    def bound(
        self, pipeline: int, *, head_groups: bool, exact: int | None = None
    ) -> SplitBound:
        """Return the bounds of pipelines of up to so many stages.

        Parameters
        ----------
        pipeline
            Stages.
        head_groups
            Whether to evaluate exchanges within KV-head groups too, which take as long
            to evaluate as those of the group and a tenth of the token, and those of
            layers of alternating groups, each of another kind.
        exact
            Kinds of exchanges that are evaluated, the most frequent first; of others
            only the hops count. All if None.
        """
        task = self._bound.task
        total = np.zeros(pipeline, dtype=np.int64)
        exchanges = self._equal_layers
        if head_groups and task.group.alternating_groups > 1:
            if self._all_layers is None:
                self._all_layers = self._distinct_exchanges(model_blocks(task))
            exchanges = self._all_layers
        evaluated = [
            key
            for key, (exchange, _) in exchanges.items()
            if head_groups or (exchange.name not in _OF_HEADS and exchange.only is None)
        ]
        evaluated.sort(key=lambda key: -exchanges[key][1])
        for key in evaluated[exact:] if exact is not None else []:
            exchange, count = exchanges[key]
            total += count * self._near_cycles(key, exchange, pipeline)
        for key in evaluated[:exact]:
            exchange, count = exchanges[key]
            total += count * self._least_cycles(key, exchange, pipeline)
        for key in exchanges.keys() - {*evaluated}:
            exchange, count = exchanges[key]
            total += count * least_exchange_cycles(task, exchange)
        # The token return of shorter pipelines is taken to be a single hop.
        return_cycles = self._bound.return_cycles[:pipeline].copy()
        return_cycles[-1] = self._return_cycles(pipeline)
        return replace(
            self._bound,
            exchange_cycles=total,
            transfer_cycles=self._transfer_cycles(pipeline),
            return_cycles=return_cycles,
        )

    def _near_cycles(self, key: ExchangeKey, exchange: Exchange, pipeline: int) -> Ints:
        """Return the least cycles of an exchange in 1, 2, ... groups by their hops."""
        near = self._near.setdefault(key, [])
        nearest = least_exchange_cycles(self._bound.task, exchange)
        while len(near) < pipeline:
            cycles = nearest
            if not near or near[-1] > nearest:
                group = self._group(len(near))
                hops = self._exchange_bounds.hop_cycles(exchange, group)
                cycles = max(nearest, hops)
            near.append(min([cycles, *near[-1:]]))
        return np.array(near[:pipeline], dtype=np.int64)

    def _least_cycles(
        self, key: ExchangeKey, exchange: Exchange, pipeline: int
    ) -> Ints:
        """Return the least cycles of an exchange in 1, 2, ... groups."""
        least, task = self._least.setdefault(key, []), self._bound.task
        nearest = least_exchange_cycles(task, exchange)
        while len(least) < pipeline:
            group = self._group(len(least))
            # Where one group is as near as can be, no other is nearer.
            if not least or (
                least[-1] > nearest
                and least[-1] > self._exchange_bounds.hop_cycles(exchange, group)
            ):
                cycles = self._exchange_bounds.cycles(task, exchange, group)
                least.append(min([cycles, *least[-1:]]))
            else:
                least.append(least[-1])
        return np.array(least[:pipeline], dtype=np.int64)

    def _group(self, stage: int) -> Ints:
        """Return the chips of a stage."""
        tensor = self._bound.task.tensor
        return self._chips[stage * tensor : (stage + 1) * tensor]

    def _transfer_cycles(self, pipeline: int) -> Ints:
        """Return the cycles of all stage transfers of 1, 2, ... stages."""
        sizes = transfer_bytes(self._bound.task)
        while len(self._transfers) < pipeline:
            stage = len(self._transfers)
            sent = MessageTable(self._group(stage - 1), self._group(stage), sizes)
            self._transfers.append(self._transfers[-1] + self._links.cycles(sent))
        return np.array(self._transfers[:pipeline], dtype=np.int64)

    def _return_cycles(self, pipeline: int) -> int:
        """Return the cycles of the token return from the last of so many stages."""
        task = self._bound.task
        if task.model.structure.encoder:
            return 0
        last = self._group(pipeline - 1)[:1]
        targets = np.setdiff1d(self._group(0), last)
        sizes = np.full(len(targets), token_bytes(task), dtype=np.int64)
        sent = MessageTable(np.repeat(last, len(targets)), targets, sizes)
        return self._links.cycles(sent)

    def _distinct_exchanges(
        self, blocks: list[tuple[Block, int]]
    ) -> dict[ExchangeKey, tuple[Exchange, int]]:
        """Return the exchanges of blocks, and how often a token makes each."""
        counted: dict[ExchangeKey, tuple[Exchange, int]] = {}
        for block, count in blocks:
            for exchange in self._block_bounds.exchanges(self._bound.task, block):
                key = exchange_key(exchange)
                _, before = counted.get(key, (exchange, 0))
                counted[key] = exchange, before + count
        return counted

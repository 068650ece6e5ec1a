"""Block bound: the least cycles of uncut blocks on a group, kept for all strategies.

A block depends on some keys of a strategy only: attention on `attention`, a
feed-forward on `layout` and `expert`. Strategies that differ in other keys share its
bound.
"""

from dataclasses import replace
from typing import NamedTuple, final

import numpy as np

from compiler.cost.link_timing import hop_cycles, vectors_of
from compiler.passes.model_pass import block_ways
from sharding.operators.operators import (
    Compute,
    Exchange,
    Pattern,
    ShardedOperator,
    nothing,
)
from sharding.parallelism.tensor_group import FeedForwardLayout, TensorGroup
from sharding.partition.block_operators import block_operators
from sharding.planner.memory import kv_cache_bytes, least_weight_bytes
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task


class BlockBound(NamedTuple):
    """Lower bounds on a block.

    Attributes
    ----------
    compute_cycles
        Cycles of its operators, each on the chip with the most work, without those that
        an exchange may hide.
    exchange_cycles
        Cycles of its collectives, each among chips that are as near as can be.
    weight_bytes, kv_cache_bytes
        Bytes on all chips together; the cache is that of one sequence.
    """

    compute_cycles: int
    exchange_cycles: int
    weight_bytes: int
    kv_cache_bytes: int


@final
class BlockBoundCache:
    """Cache of the bounds of one job's blocks, by how a group shares them."""

    def __init__(self) -> None:
        self._bounds: dict[tuple[TensorGroup, Block], BlockBound] = {}
        self._exchanges: dict[tuple[TensorGroup, Block], list[Exchange]] = {}

    def bound(self, task: Task, block: Block) -> BlockBound:
        """Return the bounds of `block` on any topology.

        Parameters
        ----------
        task
            The job; all jobs of one cache differ in nothing but the group.
        block
            A whole block.
        """
        reduced = _without_other_keys(task, block.kind)
        key = reduced.group, block
        if key not in self._bounds:
            ways = block_ways(reduced, block)
            self._exchanges[key] = _exchanges(ways[0])
            self._bounds[key] = _block_bound(reduced, block, ways)
        return self._bounds[key]

    def exchanges(self, task: Task, block: Block) -> list[Exchange]:
        """Return the exchanges of `block` that send anything, without what they carry.

        Parameters are those of `bound`. A search asks for those of a block in every
        split of a width.
        """
        # In a grid other chips hold a shard.
        reduced = _without_other_keys(task, block.kind)._replace(layout=task.layout)
        key = reduced.group, block
        if key not in self._exchanges:
            self._exchanges[key] = _exchanges(block_operators(reduced, block))
        return self._exchanges[key]


def has_messages(exchange: Exchange) -> bool:
    """Return whether an exchange has messages for its lower bound to count.

    It has some if a team has two chips or more.
    """
    return bool((np.bincount(exchange.teams) > 1).any())


def least_exchange_cycles(task: Task, exchange: Exchange) -> int:
    """Return a lower bound on the cycles of an exchange, wherever its chips are.

    That is a hop with the largest shard. Where all members send to some, or some to
    all, and a chip has too few ports for links to all others, one of them is two hops
    away.
    """
    machine, link = task.machine, task.machine.link
    shared = np.bincount(exchange.teams)[exchange.teams] > 1
    sent = exchange.shard_bytes[shared]
    # Otherwise the chip with the largest shard may have no need to send it.
    everyone = exchange.only is None and exchange.pattern is not Pattern.TO_LEADER
    size = int(sent.max() if everyone else sent.min())
    cycles = hop_cycles(machine, vectors_of(machine, size))
    if exchange.only is not None and task.tensor > machine.chip.ports + 1:
        passed = link.forward_cycles - link.mean_latency_cycles
        stored = machine.chip.receive_cycles + machine.chip.send_cycles
        cycles += link.latency_cycles + max(0, min(passed, stored))
    return cycles


def _without_other_keys(task: Task, kind: BlockKind) -> Task:
    """Return a job with the defaults of all keys that `kind` does not depend on.

    In a grid other chips hold a shard than in rows, but the sizes are the same.
    """
    if kind is BlockKind.FEED_FORWARD:
        return task._replace(attention=0)
    reduced = task._replace(expert=1, layout=FeedForwardLayout.ONE_D)
    return reduced if kind is BlockKind.ATTENTION else reduced._replace(attention=0)


def _compute_cycles(operators: list[ShardedOperator]) -> int:
    """Return the least cycles of operators that run beside no exchange."""
    return sum(
        int(operator.least_cycles.max())
        for operator in operators
        if isinstance(operator, Compute)
    )


def _exchanges(operators: list[ShardedOperator]) -> list[Exchange]:
    """Return the exchanges that send anything, without what they carry."""
    return [
        replace(operator, carries=nothing, attached=nothing, beside=None)
        for operator in operators
        if isinstance(operator, Exchange) and has_messages(operator)
    ]


def _block_bound(
    task: Task, block: Block, ways: tuple[list[ShardedOperator], ...]
) -> BlockBound:
    """Return the bounds of a block on the group of `task`."""
    exchanged = sum(
        least_exchange_cycles(task, operator) for operator in _exchanges(ways[0])
    )
    return BlockBound(
        # What runs beside an exchange may be hidden by it.
        compute_cycles=min(map(_compute_cycles, ways)),
        exchange_cycles=exchanged,
        weight_bytes=least_weight_bytes(task, block),
        kv_cache_bytes=int(kv_cache_bytes(task, block, 1).sum()),
    )

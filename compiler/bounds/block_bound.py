"""What uncut blocks take at least on a group, worked out once for all that share them.

A block knows only some words of a strategy: attention who has a part in it, a
feed-forward how it lies. Strategies that differ in other words have it in common.
"""

from typing import NamedTuple, final

import numpy as np

from compiler.cost.link_timing import hop_cycles, vectors_of
from sharding.operators.block_operators import block_operators
from sharding.operators.operators import Compute, Exchange, Pattern
from sharding.parallelism.tensor_group import FeedForwardLayout, TensorGroup
from sharding.planner.memory import kv_cache_bytes, weight_bytes
from sharding.transformer.blocks import Block, BlockKind
from sharding.transformer.task import Task


class BlockBound(NamedTuple):
    """What a block takes at least.

    Attributes
    ----------
    compute_cycles
        Its operators, each on the chip that has most to do.
    exchange_cycles
        Its collectives, each among chips that are as near as can be.
    weight_bytes, kv_cache_bytes
        On all chips together, the cache of one sequence.
    """

    compute_cycles: int
    exchange_cycles: int
    weight_bytes: int
    kv_cache_bytes: int


@final
class KnownBlocks:
    """Bounds of the blocks of one job, by how a group shares them."""

    def __init__(self) -> None:
        self._known: dict[tuple[TensorGroup, Block], BlockBound] = {}

    def bound(self, task: Task, block: Block) -> BlockBound:
        """Return what `block` takes at least on any wiring.

        Parameters
        ----------
        task
            The job; all that are asked for differ in nothing but the group.
        block
            A whole block.
        """
        alike = _without_other_words(task, block.kind)
        key = alike.group, block
        if key not in self._known:
            self._known[key] = _block_bound(alike, block)
        return self._known[key]


def is_sent(exchange: Exchange) -> bool:
    """Return whether any chip has another one to exchange with."""
    return bool((np.bincount(exchange.teams) > 1).any())


def nearest_cycles(task: Task, exchange: Exchange) -> int:
    """Return what an exchange takes at least wherever its chips are.

    That is a hop with the largest shard. Where all members send to some, or some to
    all, and a chip cannot be linked to all others, one of them is two hops away.
    """
    machine, link = task.machine, task.machine.link
    shared = np.bincount(exchange.teams)[exchange.teams] > 1
    sent = exchange.shard_bytes[shared]
    # One of those who have a shard may have no need to send it.
    everyone = exchange.only is None and exchange.pattern is not Pattern.TO_LEADER
    size = int(sent.max() if everyone else sent.min())
    cycles = hop_cycles(machine, vectors_of(machine, size))
    if exchange.only is not None and task.tensor > machine.chip.ports + 1:
        passed = link.forward_cycles - link.mean_latency_cycles
        handled = machine.chip.receive_cycles + machine.chip.send_cycles
        cycles += link.latency_cycles + max(0, min(passed, handled))
    return cycles


def _without_other_words(task: Task, kind: BlockKind) -> Task:
    """Return a job in which `kind` takes as long, as usual in all else.

    In a grid the shards are others' than in rows, but of the same sizes.
    """
    if kind is BlockKind.FEED_FORWARD:
        return task._replace(attention=0)
    alike = task._replace(expert=1, layout=FeedForwardLayout.ONE_D)
    return alike if kind is BlockKind.ATTENTION else alike._replace(attention=0)


def _block_bound(task: Task, block: Block) -> BlockBound:
    compute = exchanged = 0
    for operator in block_operators(task, block):
        if isinstance(operator, Compute):
            compute += int(operator.least_cycles.max())
        elif is_sent(operator):
            exchanged += nearest_cycles(task, operator)
    return BlockBound(
        compute_cycles=compute,
        exchange_cycles=exchanged,
        weight_bytes=int(weight_bytes(task, block).sum()),
        kv_cache_bytes=int(kv_cache_bytes(task, block, 1).sum()),
    )

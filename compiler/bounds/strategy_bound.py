"""Strategy bound: lower bounds on all pipelines of a split, before stages are cut.

What a model computes on a group does not depend on the stages; where a cut goes through
a block, its parts take at least what the whole takes. So a split is evaluated once, and
each of its pipelines costs a few additions.
"""

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import final

import numpy as np

from compiler.bounds.block_bound import (
    BlockBoundCache,
)
from compiler.cost.link_timing import hop_cycles, vectors_of
from compiler.passes.train_count import least_block_messages
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task, like_block
from specs.arrays import Ints
from specs.model import ModelSpec
from topologies.topology import Topology


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SplitBound:
    """Lower bounds on every strategy of a split: a way to share a layer in a group.

    Parameters
    ----------
    task
        The job, on a group of the split.
    compute_cycles
        Operators of all blocks.
    exchange_cycles
        Collectives of all blocks, shape ``(most stages,)``: entry ``p - 1`` if the
        pipeline has p stages, of which the best placed has all blocks.
    transfer_cycles, return_cycles
        All stage transfers, and the token return, of 1, 2, ... stages, shape
        ``(most stages,)``.
    weight_bytes, kv_cache_bytes
        Bytes of the whole model; the cache is that of one sequence.
    """

    task: Task
    compute_cycles: int
    exchange_cycles: Ints
    transfer_cycles: Ints
    return_cycles: Ints
    weight_bytes: int
    kv_cache_bytes: int

    def token_cycles(self, pipeline: int) -> int:
        """Return a lower bound on the cycles of a token with so many stages."""
        return (
            self.compute_cycles
            + int(self.exchange_cycles[pipeline - 1])
            + int(self.transfer_cycles[pipeline - 1])
            + int(self.return_cycles[pipeline - 1])
        )

    def most_sequences(self, pipeline: int) -> int:
        """Return an upper bound on the sequences that memory holds, 0 if none."""
        chip = self.task.machine.chip
        usable = chip.sram_bytes - chip.program_reserve_bytes
        room = usable * self.task.tensor * pipeline - self.weight_bytes
        return max(0, room // max(1, self.kv_cache_bytes))


def split_bound(
    task: Task, most_stages: int, block_bounds: BlockBoundCache
) -> SplitBound:
    """Return the lower bounds of a split on any topology, its chips as near as can be.

    Parameters
    ----------
    task
        The job, on a group of the split.
    most_stages
        Stages of the longest pipeline of interest.
    block_bounds
        Bounds of blocks, which other splits share.
    """
    # A layer takes as long whichever of the alternating groups has it.
    blocks = [
        (block_bounds.bound(task, block), count)
        for block, count in model_blocks(task._replace(attention=0))
    ]
    encoder = task.model.structure.encoder
    exchange_cycles = sum(count * block.exchange_cycles for block, count in blocks)
    shard = vectors_of(task.machine, int(transfer_bytes(task).max()))
    # An encoder's pass ends in the last stage.
    token_return = 0 if encoder else hop_cycles(task.machine, 1)
    return_cycles = np.full(most_stages, token_return, dtype=np.int64)
    if task.tensor == 1:
        # A chip on its own keeps the token that it has chosen.
        return_cycles[0] = 0
    transfer = hop_cycles(task.machine, shard)
    return SplitBound(
        task=task,
        compute_cycles=sum(count * block.compute_cycles for block, count in blocks),
        exchange_cycles=np.full(most_stages, exchange_cycles, dtype=np.int64),
        transfer_cycles=transfer * np.arange(most_stages, dtype=np.int64),
        return_cycles=return_cycles,
        weight_bytes=sum(count * block.weight_bytes for block, count in blocks),
        kv_cache_bytes=sum(count * block.kv_cache_bytes for block, count in blocks),
    )


def transfer_bytes(task: Task) -> Ints:
    """Return a lower bound on each chip's transfer bytes, wherever the model is cut.

    Shape ``(width,)``.
    """
    least: Ints = np.minimum(task.shard_bytes(), task.answering().shard_bytes())
    return least


def least_split_trains(bound: SplitBound, topology: Topology, chips: Ints) -> Ints:
    """Return a lower bound on the trains of a token with 1, 2, ... stages.

    Each kind of block is in the group that needs the fewest messages for it.

    Parameters
    ----------
    bound, topology
        Bounds of the split, and the topology.
    chips
        Chips of the groups, one after the other, shape ``(width * groups,)``; there may
        be fewer groups than the longest pipeline has stages.
    """
    task = bound.task
    # A layer takes as many whichever of the alternating groups has it.
    blocks = model_blocks(task._replace(attention=0))
    stages = min(len(bound.exchange_cycles), len(chips) // task.tensor)
    trains = [
        [least_block_messages(task, block, topology, group) for block, _ in blocks]
        for group in np.split(chips[: stages * task.tensor], stages)
    ]
    fewest = np.minimum.accumulate(np.array(trains, dtype=np.int64))
    total: Ints = fewest @ np.array([count for _, count in blocks], dtype=np.int64)
    return total


def model_blocks(task: Task) -> list[tuple[Block, int]]:
    """Return the model's kinds of uncut blocks and their counts, for lower bounds.

    Layers that attend to a window only are of another kind than those that attend to
    everything, and so are layers of other chips in alternating groups. Layers of
    experts are of another kind than dense ones.
    """
    # Which blocks are alike depends on no other key of the split.
    return list(_model_blocks(task.model, task.group.alternating_groups))


@lru_cache(maxsize=64)
def _model_blocks(model: ModelSpec, groups: int) -> list[tuple[Block, int]]:
    """Return the kinds of blocks of a model in so many alternating groups."""
    layers = range(model.layers)
    attending = Counter(
        like_block(model, Block(BlockKind.ATTENTION, layer, 0, 1, 1), groups)
        for layer in layers
    )
    forward = Counter(
        like_block(model, Block(BlockKind.FEED_FORWARD, layer, 0, 1, 1), groups)
        for layer in layers
    )
    return [
        (Block(BlockKind.EMBEDDING, -1, 0, 1, 1), 1),
        *attending.items(),
        *forward.items(),
        (Block(BlockKind.HEAD, model.layers, 0, 1, 1), 1),
    ]

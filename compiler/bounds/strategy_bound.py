"""Lower bounds on all pipelines of groups that share a layer alike, before any cut.

What a model computes on a group does not depend on the stages; where a cut goes through
a block, its parts take at least what the whole takes. So a way of sharing is worked out
once, and each of its pipelines costs a few additions.
"""

from collections import Counter
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from compiler.bounds.block_bound import KnownBlocks, is_sent, nearest_cycles
from compiler.bounds.congestion_bound import CongestionBound
from compiler.bounds.exchange_bound import Alike, KnownExchanges, alike
from compiler.cost.link_timing import hop_cycles, vectors_of
from compiler.ir.messages import MessageTable
from compiler.scheduling.train_count import least_block_messages
from sharding.operators.block_operators import block_operators, token_bytes
from sharding.operators.operators import Compute, Exchange
from sharding.transformer.blocks import Block, BlockKind
from sharding.transformer.task import Task
from specs.arrays import Ints
from topologies.topology import Topology

_OF_HEADS = ("share_qkv", "share_values")


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SplitBound:
    """What every strategy of a tensor width takes at least.

    Parameters
    ----------
    task
        The job, with the width.
    compute_cycles
        Operators of all blocks.
    exchange_cycles
        Collectives of all blocks, shape ``(most stages,)``: entry ``p - 1`` if the
        pipeline has p stages, of which the best placed does everything.
    handed_cycles, back_cycles
        From each stage to the next, and from the last to the first, of 1, 2, ...
        stages, shape ``(most stages,)``.
    weight_bytes, kv_cache_bytes
        Of the whole model, the cache for one sequence.
    """

    task: Task
    compute_cycles: int
    exchange_cycles: Ints
    handed_cycles: Ints
    back_cycles: Ints
    weight_bytes: int
    kv_cache_bytes: int

    def token_cycles(self, pipeline: int) -> int:
        """Return the least latency of a token with so many stages."""
        return (
            self.compute_cycles
            + int(self.exchange_cycles[pipeline - 1])
            + int(self.handed_cycles[pipeline - 1])
            + int(self.back_cycles[pipeline - 1])
        )

    def most_sequences(self, pipeline: int) -> int:
        """Return a number of sequences that memory cannot exceed, 0 if none fits."""
        chip = self.task.machine.chip
        usable = chip.sram_bytes - chip.program_reserve_bytes
        room = usable * self.task.tensor * pipeline - self.weight_bytes
        return max(0, room // max(1, self.kv_cache_bytes))


def width_bound(task: Task, most_stages: int, known: KnownBlocks) -> SplitBound:
    """Return the bound of a width on any wiring: its chips are as near as can be.

    Parameters
    ----------
    task
        The job, with the width.
    most_stages
        Stages of the longest pipeline of interest.
    known
        Bounds of blocks, which those of other jobs of the width may share.
    """
    # Whoever's turn it is, a layer takes as long.
    blocks = [
        (known.bound(task, block), count)
        for block, count in _blocks(task._replace(attention=0))
    ]
    encoder = task.model.structure.encoder
    exchanged = sum(count * block.exchange_cycles for block, count in blocks)
    shard = vectors_of(task.machine, int(_handed_bytes(task).max()))
    # An encoder's pass ends in the last stage.
    back = 0 if encoder else hop_cycles(task.machine, 1)
    back_cycles = np.full(most_stages, back, dtype=np.int64)
    if task.tensor == 1:
        # A chip on its own keeps what it has chosen.
        back_cycles[0] = 0
    hand_over = hop_cycles(task.machine, shard)
    return SplitBound(
        task=task,
        compute_cycles=sum(count * block.compute_cycles for block, count in blocks),
        exchange_cycles=np.full(most_stages, exchanged, dtype=np.int64),
        handed_cycles=hand_over * np.arange(most_stages, dtype=np.int64),
        back_cycles=back_cycles,
        weight_bytes=sum(count * block.weight_bytes for block, count in blocks),
        kv_cache_bytes=sum(count * block.kv_cache_bytes for block, count in blocks),
    )


@final
class PlacedSplitBound:
    """What each exchange and hand-over of a width takes on the chips that there are.

    Groups are looked at one by one, as longer pipelines are asked for.

    Parameters
    ----------
    bound
        The bound on any wiring.
    chips
        The chips in order: stage after stage, member after member.
    links
        What says how long messages take at least.
    known
        Exchanges, which other ways to share a layer have in common.
    """

    def __init__(
        self,
        bound: SplitBound,
        chips: Ints,
        links: CongestionBound,
        known: KnownExchanges,
    ) -> None:
        self._bound = bound
        self._chips = chips
        self._links = links
        # Layers that take turns are alike until they are looked at.
        task = bound.task
        self._alike = _distinct_exchanges(task, _blocks(task._replace(attention=0)))
        self._exchanges: dict[Alike, tuple[Exchange, int]] | None = None
        self._known = known
        # Of each exchange the least cycles in the first 1, 2, ... groups; cycles of all
        # hand-overs among as many.
        self._least: dict[Alike, list[int]] = {}
        self._handed = [0]

    def bound(self, pipeline: int, *, teams: bool) -> SplitBound:
        """Return the bound for pipelines of up to so many stages.

        Parameters
        ----------
        pipeline
            Stages.
        teams
            Whether to look at exchanges within the teams of heads too, which take as
            long to look at as those of the group and a tenth of the token, and at
            those of layers that take turns, each of another kind.
        """
        task = self._bound.task
        total = np.zeros(pipeline, dtype=np.int64)
        exchanges = self._alike
        if teams and task.group.alternating_groups > 1:
            if self._exchanges is None:
                self._exchanges = _distinct_exchanges(task, _blocks(task))
            exchanges = self._exchanges
        for key, (exchange, count) in exchanges.items():
            nearest = nearest_cycles(task, exchange)
            if not teams and (exchange.name in _OF_HEADS or exchange.only is not None):
                total += count * nearest
                continue
            least = self._least.setdefault(key, [])
            while len(least) < pipeline:
                # As near as can be is near enough not to look at the others.
                known = bool(least) and least[-1] == nearest
                at = self._group(len(least))
                cycles = nearest if known else self._known.cycles(task, exchange, at)
                least.append(min([cycles, *least[-1:]]))
            total += count * np.array(least[:pipeline], dtype=np.int64)
        # Of shorter pipelines the way back is as short as can be.
        back_cycles = self._bound.back_cycles[:pipeline].copy()
        back_cycles[-1] = self._way_back_cycles(pipeline)
        return replace(
            self._bound,
            exchange_cycles=total,
            handed_cycles=self._handed_cycles(pipeline),
            back_cycles=back_cycles,
        )

    def _group(self, stage: int) -> Ints:
        tensor = self._bound.task.tensor
        return self._chips[stage * tensor : (stage + 1) * tensor]

    def _handed_cycles(self, pipeline: int) -> Ints:
        sizes = _handed_bytes(self._bound.task)
        while len(self._handed) < pipeline:
            stage = len(self._handed)
            sent = MessageTable(self._group(stage - 1), self._group(stage), sizes)
            self._handed.append(self._handed[-1] + self._links.cycles(sent))
        return np.array(self._handed[:pipeline], dtype=np.int64)

    def _way_back_cycles(self, pipeline: int) -> int:
        task = self._bound.task
        if task.model.structure.encoder:
            return 0
        last = self._group(pipeline - 1)[:1]
        targets = np.setdiff1d(self._group(0), last)
        sizes = np.full(len(targets), token_bytes(task), dtype=np.int64)
        sent = MessageTable(np.repeat(last, len(targets)), targets, sizes)
        return self._links.cycles(sent)


def _handed_bytes(task: Task) -> Ints:
    """Return what each chip hands over at least, wherever the model is cut."""
    least: Ints = np.minimum(task.shard_bytes(), task.answering().shard_bytes())
    return least


def _distinct_exchanges(
    task: Task, blocks: list[tuple[Block, int]]
) -> dict[Alike, tuple[Exchange, int]]:
    """Return the exchanges that send anything, and how often a token makes each."""
    found: dict[Alike, tuple[Exchange, int]] = {}
    for block, count in blocks:
        for operator in block_operators(task, block):
            if isinstance(operator, Compute) or not is_sent(operator):
                continue
            key = alike(operator)
            _, before = found.get(key, (operator, 0))
            found[key] = operator, before + count
    return found


def trains_of_width(bound: SplitBound, topology: Topology, chips: Ints) -> Ints:
    """Return trains that a token needs at least with 1, 2, ... stages.

    Every layer's blocks gather and scatter, and a head gathers, at best among the chips
    that need the fewest messages for it.
    """
    task = bound.task
    counts = Counter[BlockKind]()
    for block, count in _blocks(task._replace(attention=0)):
        counts[block.kind] += count
    trains = []
    for at in range(len(bound.exchange_cycles)):
        group = chips[at * task.tensor : (at + 1) * task.tensor]
        messages = least_block_messages(task.group, topology, group)
        trains.append([messages[kind] for kind in counts])
    fewest = np.minimum.accumulate(np.array(trains, dtype=np.int64))
    total: Ints = fewest @ np.array(list(counts.values()), dtype=np.int64)
    return total


def _blocks(task: Task) -> list[tuple[Block, int]]:
    """Return each kind of block of the model, uncut, and how many there are.

    Layers that attend to a window only are of another kind than those that attend to
    everything, and where they take turns, so are those of other chips.
    """
    layers = task.model.layers
    attention = [Block(BlockKind.ATTENTION, layer, 0, 1, 1) for layer in range(layers)]
    attending = Counter(task.like(block) for block in attention)
    return [
        (Block(BlockKind.EMBEDDING, -1, 0, 1, 1), 1),
        *attending.items(),
        (Block(BlockKind.FEED_FORWARD, 0, 0, 1, 1), layers),
        (Block(BlockKind.HEAD, layers, 0, 1, 1), 1),
    ]

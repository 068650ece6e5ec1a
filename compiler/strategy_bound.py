"""Lower bounds on all pipelines of groups that share a layer alike, before any cut.

What a model computes on a group does not depend on the stages; where a cut goes through
a block, its parts take at least what the whole takes. So a way of sharing is worked out
once, and each of its pipelines costs a few additions.
"""

from collections import Counter
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from chip.timing import work_cycles
from chip.work import adding
from compiler.block_bound import KnownBlocks, is_sent, nearest_cycles
from compiler.bound import hop_cycles
from compiler.collective import exchange_candidates
from compiler.guard import vectors_of
from compiler.link_bound import LinkBound
from compiler.size import block_messages
from sharding.operation import Compute, Exchange, Pattern
from sharding.operators import block_operators
from sharding.slices import Ints
from sharding.task import Task
from sharding.units import Block, Kind
from specs.units import BITS_PER_BYTE
from topologies.topology import Topology

# What tells exchanges apart: pattern, shards, teams, and who takes part.
_Alike = tuple[Pattern, bytes, bytes, bytes]
KnownExchanges = dict[_Alike, list[int]]
_OF_HEADS = ("share_qkv", "share_values")


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class WidthBound:
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
    hand_over_cycles, way_back_cycles
        From one stage to the next; from the last to the first, 0 if there is one chip.
    weight_bytes, kv_cache_bytes
        Of the whole model, the cache for one sequence.
    """

    task: Task
    compute_cycles: int
    exchange_cycles: Ints
    hand_over_cycles: int
    way_back_cycles: int
    weight_bytes: int
    kv_cache_bytes: int

    def token_cycles(self, pipeline: int) -> int:
        """Return the least latency of a token with so many stages."""
        alone = self.task.tensor * pipeline == 1
        return (
            self.compute_cycles
            + int(self.exchange_cycles[pipeline - 1])
            + (pipeline - 1) * self.hand_over_cycles
            + (0 if alone else self.way_back_cycles)
        )

    def most_sequences(self, pipeline: int) -> int:
        """Return a number of sequences that memory cannot exceed, 0 if none fits."""
        chip = self.task.machine.chip
        usable = chip.sram_bytes - chip.program_reserve_bytes
        room = usable * self.task.tensor * pipeline - self.weight_bytes
        return max(0, room // max(1, self.kv_cache_bytes))


def width_bound(task: Task, most_stages: int, known: KnownBlocks) -> WidthBound:
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
    shard = vectors_of(task.machine, int(task.shard_bytes().max()))
    return WidthBound(
        task=task,
        compute_cycles=sum(count * block.compute_cycles for block, count in blocks),
        exchange_cycles=np.full(most_stages, exchanged, dtype=np.int64),
        hand_over_cycles=hop_cycles(task.machine, shard),
        # An encoder's pass ends in the last stage.
        way_back_cycles=0 if encoder else hop_cycles(task.machine, 1),
        weight_bytes=sum(count * block.weight_bytes for block, count in blocks),
        kv_cache_bytes=sum(count * block.kv_cache_bytes for block, count in blocks),
    )


@final
class PlacedWidth:
    """What each exchange of a width takes on the chips that there are.

    Groups are looked at one by one, as longer pipelines are asked for.

    Parameters
    ----------
    bound
        The bound on any wiring.
    topology, chips
        The wiring, and the chips in order: stage after stage, member after member.
    links
        What says how long messages take at least.
    known
        Of each exchange the least cycles in the first 1, 2, ... groups, which other
        ways to share a layer have in common.
    """

    def __init__(
        self,
        bound: WidthBound,
        topology: Topology,
        chips: Ints,
        links: LinkBound,
        known: KnownExchanges,
    ) -> None:
        self._bound = bound
        self._topology = topology
        self._chips = chips
        self._links = links
        # Layers that take turns are alike until they are looked at.
        task = bound.task
        self._alike = _distinct_exchanges(task, _blocks(task._replace(attention=0)))
        self._exchanges: dict[_Alike, tuple[Exchange, int]] | None = None
        self._known = known

    def bound(self, pipeline: int, *, teams: bool) -> WidthBound:
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
        if teams and task.group.turns > 1:
            if self._exchanges is None:
                self._exchanges = _distinct_exchanges(task, _blocks(task))
            exchanges = self._exchanges
        for key, (exchange, count) in exchanges.items():
            if not teams and (exchange.name in _OF_HEADS or exchange.only is not None):
                total += count * nearest_cycles(task, exchange)
                continue
            least = self._known.setdefault(key, [])
            for at in range(len(least), pipeline):
                group = self._chips[at * task.tensor : (at + 1) * task.tensor]
                cycles = _exchange_cycles(
                    task, self._topology, exchange, group, self._links
                )
                least.append(min([cycles, *least[-1:]]))
            total += count * np.array(least[:pipeline], dtype=np.int64)
        return replace(self._bound, exchange_cycles=total)


def _distinct_exchanges(
    task: Task, blocks: list[tuple[Block, int]]
) -> dict[_Alike, tuple[Exchange, int]]:
    """Return the exchanges that send anything, and how often a token makes each."""
    found: dict[_Alike, tuple[Exchange, int]] = {}
    for block, count in blocks:
        for operator in block_operators(task, block):
            if isinstance(operator, Compute) or not is_sent(operator):
                continue
            only = operator.only
            key = (
                operator.pattern,
                operator.shard_bytes.tobytes(),
                operator.teams.tobytes(),
                b"" if only is None else only.tobytes(),
            )
            _, before = found.get(key, (operator, 0))
            found[key] = operator, before + count
    return found


def trains_of_width(bound: WidthBound, topology: Topology, chips: Ints) -> Ints:
    """Return trains that a token needs at least with 1, 2, ... stages.

    Every layer's blocks gather and scatter, and a head gathers, at best among the chips
    that need the fewest messages for it.
    """
    task = bound.task
    counts = Counter[Kind]()
    for block, count in _blocks(task._replace(attention=0)):
        counts[block.kind] += count
    trains = []
    for at in range(len(bound.exchange_cycles)):
        group = chips[at * task.tensor : (at + 1) * task.tensor]
        messages = block_messages(task.group, topology, group)
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
    attention = [Block(Kind.ATTENTION, layer, 0, 1, 1) for layer in range(layers)]
    attending = Counter(task.like(block) for block in attention)
    return [
        (Block(Kind.EMBEDDING, -1, 0, 1, 1), 1),
        *attending.items(),
        (Block(Kind.FEED_FORWARD, 0, 0, 1, 1), layers),
        (Block(Kind.HEAD, layers, 0, 1, 1), 1),
    ]


def _exchange_cycles(
    task: Task, topology: Topology, exchange: Exchange, chips: Ints, links: LinkBound
) -> int:
    """Return the least cycles of the best way to carry out an exchange."""
    bits = task.activation_format.bits
    return min(
        sum(
            links.cycles(phase.messages)
            + work_cycles(
                task.machine.chip,
                adding(
                    phase.reduced_bytes * BITS_PER_BYTE // bits, bits, phase.summands
                ),
            )
            for phase in way
        )
        for way in exchange_candidates(topology, exchange, chips)
    )

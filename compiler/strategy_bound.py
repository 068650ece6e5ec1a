"""Lower bounds on all strategies of one tensor width, before any stage is cut.

What a model computes at a width does not depend on the stages; where a cut goes through
a block, its parts take at least what the whole takes. So a width is worked out once,
and each of its pipelines costs a few additions.
"""

from collections import Counter
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from chip.timing import work_cycles
from chip.work import adding
from compiler.bound import hop_cycles
from compiler.collective import exchange_candidates, fewest_messages
from compiler.guard import vectors_of
from compiler.link_bound import LinkBound
from compiler.size import FULL_EXCHANGES
from sharding.memory import kv_cache_bytes, weight_bytes
from sharding.operation import Compute, Exchange, Pattern
from sharding.operators import block_operators
from sharding.slices import Ints
from sharding.task import Task
from sharding.units import Block, Kind
from specs.units import BITS_PER_BYTE
from topologies.topology import Topology


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


def width_bound(task: Task, most_stages: int) -> WidthBound:
    """Return the bound of a width on any wiring: each exchange takes a hop at least.

    Parameters
    ----------
    task
        The job, with the width.
    most_stages
        Stages of the longest pipeline of interest.
    """
    blocks = _blocks(task)
    encoder = task.model.structure.encoder
    compute = exchanged = 0
    for block, count in blocks:
        for operator in block_operators(task, block):
            if isinstance(operator, Compute):
                compute += count * int(operator.least_cycles.max())
            elif _is_sent(operator):
                exchanged += count * _one_hop(task, operator)
    shard = vectors_of(task.machine, int(task.shard_bytes().max()))
    return WidthBound(
        task=task,
        compute_cycles=compute,
        exchange_cycles=np.full(most_stages, exchanged, dtype=np.int64),
        hand_over_cycles=hop_cycles(task.machine, shard),
        # An encoder's pass ends in the last stage.
        way_back_cycles=0 if encoder else hop_cycles(task.machine, 1),
        weight_bytes=sum(
            count * int(weight_bytes(task, block).sum()) for block, count in blocks
        ),
        kv_cache_bytes=sum(
            count * int(kv_cache_bytes(task, block, 1).sum()) for block, count in blocks
        ),
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
    """

    def __init__(
        self, bound: WidthBound, topology: Topology, chips: Ints, links: LinkBound
    ) -> None:
        self._bound = bound
        self._topology = topology
        self._chips = chips
        self._links = links
        self._exchanges = list(_distinct_exchanges(bound.task))
        # Of each exchange, the least cycles in the first 1, 2, ... groups.
        self._least: list[list[int]] = [[] for _ in self._exchanges]

    def bound(self, pipeline: int, *, teams: bool) -> WidthBound:
        """Return the bound for pipelines of up to so many stages.

        Parameters
        ----------
        pipeline
            Stages.
        teams
            Whether to look at exchanges within teams too, which take as long to look
            at as those of the group and a tenth of the token.
        """
        task = self._bound.task
        total = np.zeros(pipeline, dtype=np.int64)
        for (exchange, count), least in zip(self._exchanges, self._least, strict=True):
            if exchange.teams.any() and not teams:
                total += count * _one_hop(task, exchange)
                continue
            for at in range(len(least), pipeline):
                group = self._chips[at * task.tensor : (at + 1) * task.tensor]
                cycles = _exchange_cycles(
                    task, self._topology, exchange, group, self._links
                )
                least.append(min([cycles, *least[-1:]]))
            total += count * np.array(least[:pipeline], dtype=np.int64)
        return replace(self._bound, exchange_cycles=total)


def _distinct_exchanges(task: Task) -> list[tuple[Exchange, int]]:
    """Return the exchanges that send anything, and how often a token makes each."""
    found: dict[tuple[Pattern, bytes, bytes], tuple[Exchange, int]] = {}
    for block, count in _blocks(task):
        for operator in block_operators(task, block):
            if isinstance(operator, Compute) or not _is_sent(operator):
                continue
            key = (
                operator.pattern,
                operator.shard_bytes.tobytes(),
                operator.teams.tobytes(),
            )
            _, before = found.get(key, (operator, 0))
            found[key] = operator, before + count
    return list(found.values())


def trains_of_width(bound: WidthBound, topology: Topology, chips: Ints) -> Ints:
    """Return trains that a token needs at least with 1, 2, ... stages.

    Every layer's blocks gather and scatter, and a head gathers, at best among the chips
    that need the fewest messages for it.
    """
    width = bound.task.tensor
    fewest = [
        fewest_messages(topology, chips[at * width : (at + 1) * width])
        for at in range(len(bound.exchange_cycles))
    ]
    exchanges = sum(n * FULL_EXCHANGES[b.kind] for b, n in _blocks(bound.task))
    return exchanges * np.minimum.accumulate(np.array(fewest, dtype=np.int64))


def _blocks(task: Task) -> list[tuple[Block, int]]:
    """Return each kind of block of the model, uncut, and how many there are.

    Layers that attend to a window only are of another kind than those that attend to
    everything.
    """
    layers = task.model.layers
    attending = Counter(task.model.layer_like(layer) for layer in range(layers))
    return [
        (Block(Kind.EMBEDDING, -1, 0, 1, 1), 1),
        *(
            (Block(Kind.ATTENTION, layer, 0, 1, 1), count)
            for layer, count in attending.items()
        ),
        (Block(Kind.FEED_FORWARD, 0, 0, 1, 1), layers),
        (Block(Kind.HEAD, layers, 0, 1, 1), 1),
    ]


def _is_sent(exchange: Exchange) -> bool:
    return bool((np.bincount(exchange.teams) > 1).any())


def _one_hop(task: Task, exchange: Exchange) -> int:
    vectors = vectors_of(task.machine, int(exchange.shard_bytes.max()))
    return hop_cycles(task.machine, vectors)


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

"""The order of a token: what each stage does when, as a chain of entries.

The chips of a tensor group move in step, and one token is in one stage at a time, so a
token is a chain: each entry starts where the one before has ended.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol, final

import numpy as np

from chip.timing import vector_cycles
from compiler.collective import Message, Phase, exchange_candidates
from compiler.size import check_trains, trains_at_least
from compiler.transport import Spent, Transport
from sharding.operation import Compute, Exchange, Unit
from sharding.operators import block_operators, carried_bytes, token_bytes
from sharding.plan import ShardingPlan, Stage
from sharding.slices import Ints
from sharding.units import Block
from specs.errors import ScheduleError
from specs.units import BITS_PER_BYTE
from topologies.topology import Topology


class ComputeEntry(NamedTuple):
    """A group computes: chip and cycles of each member that has a part."""

    start_cycle: int
    operator: int
    name: str
    unit: Unit
    chips: Ints
    cycles: Ints


class TransportEntry(NamedTuple):
    """A phase of messages is on its way."""

    start_cycle: int
    operator: int
    name: str
    transport: Transport


Entry = ComputeEntry | TransportEntry


class Carrier(Protocol):
    """What says how long messages are on their way, exactly or at least."""

    def transport(self, messages: tuple[Message, ...]) -> Transport:
        """Return how `messages` travel, all of them ready at cycle 0."""


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Timeline:
    """One token as a chain.

    Parameters
    ----------
    entries
        What is done, in order; gaps between entries belong to deskews.
    spent
        Where the token's cycles went.
    stage_cycles
        Cycles between the first and the last thing each stage does.
    stage_hops
        Hops in a row that the chain makes within each stage and out of it.
    trains
        Trains in all entries.
    """

    entries: tuple[Entry, ...]
    spent: Spent
    stage_cycles: tuple[int, ...]
    stage_hops: tuple[int, ...]
    trains: int

    @property
    def token_cycles(self) -> int:
        """Return the cycles from the token's start to its end."""
        return self.spent.total


@final
class _Chain:
    """A timeline in the making."""

    def __init__(
        self, plan: ShardingPlan, transporter: Carrier, interval_cycles: int
    ) -> None:
        self._transporter = transporter
        self._stall_cycles = plan.task.machine.hac.epoch_cycles
        self._width = plan.strategy.tensor
        self._chips = plan.strategy.chips
        self.entries: list[Entry] = []
        self.spent = Spent()
        self.operators = 0
        self.hops = 0
        self.trains = 0
        # When the chips at work began their last deskew, and how long it may be ago.
        self.deskewed_cycle = 0
        self._interval_cycles = interval_cycles

    @property
    def now(self) -> int:
        """Return the cycle at which the chain ends so far."""
        return self.spent.total

    def compute(self, name: str, unit: Unit, chips: Ints, cycles: Ints) -> None:
        """Append an operator; members without a part wait."""
        longest = int(cycles.max())
        if longest == 0:
            return
        has_part = cycles > 0
        self.entries.append(
            ComputeEntry(
                self.now, self.operators, name, unit, chips[has_part], cycles[has_part]
            )
        )
        self.operators += 1
        self.spent = self.spent.plus(Spent(compute=longest))

    def deskew(self) -> None:
        """Leave room for a RUNTIME_DESKEW of the chips at work."""
        self.deskewed_cycle = self.now
        self.spent = self.spent.plus(Spent(deskew=self._stall_cycles))

    def send(self, name: str, messages: tuple[Message, ...]) -> None:
        """Append a phase, after a deskew if the last one is too long ago for it."""
        if not messages:
            return
        transport = self._transporter.transport(messages)
        needed = transport.duration_cycles
        if self._interval_cycles:
            if self.now + needed - self.deskewed_cycle > self._interval_cycles:
                self.deskew()
            if self._stall_cycles + needed > self._interval_cycles:
                raise ScheduleError(
                    f"{name} takes {needed} cycles, more than the "
                    f"{self._interval_cycles} of the deskew interval leave beside the "
                    f"deskew itself; use a longer deskew.interval_epochs, or 'auto'"
                )
        self.entries.append(TransportEntry(self.now, self.operators, name, transport))
        self.operators += 1
        self.hops += transport.hops
        self.trains += len(transport.link)
        check_trains(self.trains, self._width, self._chips)
        self.spent = self.spent.plus(transport.spent)


def token_timeline(
    plan: ShardingPlan,
    topology: Topology,
    transporter: Carrier,
    *,
    interval_cycles: int,
) -> Timeline:
    """Return the chain of one decode token.

    Parameters
    ----------
    plan
        Who holds what.
    topology, transporter
        The wiring, and what schedules messages on it.
    interval_cycles
        Longest time between a deskew and a vector that relies on it, 0 for no deskews.
    """
    check_trains(
        trains_at_least(plan, topology), plan.strategy.tensor, plan.strategy.chips
    )
    stall_cycles = plan.task.machine.hac.epoch_cycles
    chain = _Chain(plan, transporter, interval_cycles)
    way_back = _way_back(plan)
    stage_cycles, stage_hops = [], []
    if interval_cycles and len(plan.stages) == 1:
        # A single stage is never idle: it deskews as the first thing of each token.
        chain.deskew()
    elif way_back:
        # The first stage deskews before the last token comes back to it.
        chain.deskewed_cycle = -(
            stall_cycles + transporter.transport(way_back).duration_cycles
        )
    operators = _OperatorsOf(plan, topology, transporter)
    begin = 0
    for stage in plan.stages:
        hops = chain.hops
        for block in stage.blocks:
            for operator in operators.of(block):
                if isinstance(operator, Compute):
                    chain.compute(
                        operator.name, operator.unit, stage.chips, operator.cycles
                    )
                    continue
                for phase in operators.phases(operator, stage):
                    chain.send(operator.name, phase.messages)
                    added = np.full(len(stage.chips), operators.adding_cycles(phase))
                    chain.compute("add_up", Unit.VECTOR, stage.chips, added)
        if stage.index + 1 == len(plan.stages):
            chain.send("way_back", way_back)
            stage_cycles.append(chain.now - begin)
        else:
            following = plan.stages[stage.index + 1]
            chain.send("hand_over", _hand_over(plan, stage, following))
            stage_cycles.append(chain.now - begin)
            begin = chain.entries[-1].start_cycle
            # The next stage has been idle: it deskews just before this hand-over.
            chain.deskewed_cycle = begin - stall_cycles
        stage_hops.append(chain.hops - hops)
    return Timeline(
        entries=tuple(chain.entries),
        spent=chain.spent,
        stage_cycles=tuple(stage_cycles),
        stage_hops=tuple(stage_hops),
        trains=chain.trains,
    )


class _OperatorsOf:
    """Operators and phases of blocks, worked out once for all layers alike."""

    def __init__(
        self, plan: ShardingPlan, topology: Topology, transporter: Carrier
    ) -> None:
        self._plan = plan
        self._topology = topology
        self._transporter = transporter
        self._operators: dict[Block, list[Compute | Exchange]] = {}
        self._phases: dict[tuple[int, int], tuple[Phase, ...]] = {}

    def of(self, block: Block) -> list[Compute | Exchange]:
        """Return the operators of `block`."""
        like = self._plan.task.like(block)
        if like not in self._operators:
            self._operators[like] = block_operators(self._plan.task, like)
        return self._operators[like]

    def phases(self, exchange: Exchange, stage: Stage) -> tuple[Phase, ...]:
        """Return the fastest way to carry out `exchange` on the chips of `stage`."""
        key = (id(exchange), stage.index)
        if key not in self._phases:
            ways = exchange_candidates(self._topology, exchange, stage.chips)
            self._phases[key] = min(ways, key=self._way_cycles) if ways[1:] else ways[0]
        return self._phases[key]

    def adding_cycles(self, phase: Phase) -> int:
        """Return the cycles to add up what `phase` brought, where another follows."""
        task = self._plan.task
        return vector_cycles(
            task.machine.chip,
            elements=phase.reduced_bytes * BITS_PER_BYTE // task.activation_format.bits,
            operations=phase.summands,
        )

    def _way_cycles(self, way: tuple[Phase, ...]) -> int:
        return sum(
            self._transporter.transport(phase.messages).duration_cycles
            + self.adding_cycles(phase)
            for phase in way
        )


def _hand_over(
    plan: ShardingPlan, stage: Stage, following: Stage
) -> tuple[Message, ...]:
    """Return the messages in which each member hands its shard to its partner."""
    sizes = carried_bytes(plan.task, following.blocks[0])
    return tuple(
        Message(int(a), int(b), int(size))
        for a, b, size in zip(stage.chips, following.chips, sizes, strict=True)
    )


def _way_back(plan: ShardingPlan) -> tuple[Message, ...]:
    """Return the messages that carry the chosen token to the first stage.

    An encoder chooses none: its pass ends where the last stage does.
    """
    if plan.task.model.structure.encoder:
        return ()
    leader = int(plan.stages[-1].chips[0])
    size = token_bytes(plan.task)
    return tuple(
        Message(leader, int(chip), size)
        for chip in plan.stages[0].chips
        if int(chip) != leader
    )

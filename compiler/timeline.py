"""The order of a token: what each stage does when, as a chain of entries.

The chips of a tensor group move in step, and one token is in one stage at a time, so a
token is a chain: each entry starts where the one before has ended.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import compress
from typing import NamedTuple, final

from chip.work import Work
from compiler.layers import Layers, hand_over, way_back
from compiler.messages import MessageTable
from compiler.prefetch import Ahead, Prefetch
from compiler.size import check_trains, trains_at_least
from compiler.transport import Carrier, Spent, Transport
from sharding.operation import Compute, Unit
from sharding.plan import ShardingPlan
from sharding.slices import Ints
from specs.errors import ScheduleError
from specs.machine import ChipSpec
from topologies.topology import Topology


class ComputeEntry(NamedTuple):
    """A group computes: chip, work and cycles of each member that has a part."""

    start_cycle: int
    operator: int
    name: str
    unit: Unit
    chips: Ints
    works: tuple[Work, ...]
    cycles: Ints


class LoadEntry(NamedTuple):
    """A group loads weights ahead of an operator that has the number `operator`."""

    start_cycle: int
    operator: int
    chips: Ints
    works: tuple[Work, ...]
    cycles: Ints


class TransportEntry(NamedTuple):
    """A phase of messages is on its way."""

    start_cycle: int
    operator: int
    name: str
    transport: Transport


Entry = ComputeEntry | TransportEntry


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Timeline:
    """One token as a chain.

    Parameters
    ----------
    entries
        What is done, in order; gaps between entries belong to deskews.
    loads
        Weights that are loaded meanwhile, ahead of their products.
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
    loads: tuple[LoadEntry, ...]
    spent: Spent
    stage_cycles: tuple[int, ...]
    stage_hops: tuple[int, ...]
    trains: int

    @property
    def token_cycles(self) -> int:
        """Return the cycles from the token's start to its end."""
        return self.spent.total


@final
class Chain:
    """A timeline in the making.

    Parameters
    ----------
    transporter
        What schedules messages.
    chip
        The processor.
    stall_cycles
        Length of a RUNTIME_DESKEW.
    interval_cycles
        Longest time between a deskew and a vector that relies on it, 0 for no deskews.
    check
        Called with the trains so far; refuses too many.
    """

    def __init__(
        self,
        transporter: Carrier,
        *,
        chip: ChipSpec,
        stall_cycles: int,
        interval_cycles: int,
        check: Callable[[int], None],
    ) -> None:
        self._transporter = transporter
        self._stall_cycles = stall_cycles
        self._check = check
        self.prefetch = Prefetch(chip)
        self._fill_cycles = chip.matmul_fill_cycles
        self.entries: list[Entry] = []
        self.loads: list[LoadEntry] = []
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

    def compute(self, operator: Compute, chips: Ints) -> None:
        """Append an operator; members without a part wait."""
        works, cycles = operator.works, operator.cycles
        longest = int(cycles.max())
        if longest == 0:
            return
        begin = self.now
        if operator.unit is Unit.MATMUL:
            works, cycles, loads = self.prefetch.product(operator, begin)
            longest = int(cycles.max())
            for ahead in loads:
                self._load(begin, ahead, chips)
        chips, works, cycles = _with_part(chips, works, cycles)
        self.entries.append(
            ComputeEntry(
                begin,
                self.operators,
                operator.name,
                operator.unit,
                chips,
                works,
                cycles,
            )
        )
        self.operators += 1
        self.spent = self.spent.plus(Spent(compute=longest))
        if operator.unit is Unit.MATMUL:
            # All that it reads has been read: the next may load while this one drains.
            self.prefetch.restart()
            self.prefetch.free(self.now - self._fill_cycles, self.now)
        elif operator.unit is Unit.VECTOR:
            self.prefetch.free(begin, self.now)

    def _load(self, begin: int, ahead: Ahead, chips: Ints) -> None:
        """Append weights that are loaded ahead of an operator that begins then."""
        chips, works, cycles = _with_part(chips, ahead.works, ahead.cycles)
        start = begin - ahead.lead_cycles
        self.loads.append(LoadEntry(start, self.operators, chips, works, cycles))

    def deskew(self) -> None:
        """Leave room for a RUNTIME_DESKEW of the chips at work, if there are any."""
        if not self._interval_cycles:
            return
        self.deskewed_cycle = self.now
        self.spent = self.spent.plus(Spent(deskew=self._stall_cycles))

    def send(self, name: str, messages: MessageTable) -> None:
        """Append a phase, after a deskew if the last one is too long ago for it."""
        if not len(messages):
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
        self._check(self.trains)
        begin = self.now
        self.spent = self.spent.plus(transport.spent)
        self.prefetch.free(begin, self.now)


def _with_part(
    chips: Ints, works: tuple[Work, ...], cycles: Ints
) -> tuple[Ints, tuple[Work, ...], Ints]:
    """Return the members of a group that have a part in an operator."""
    has_part = cycles > 0
    if has_part.all():
        return chips, works, cycles
    own = tuple(compress(works, has_part.tolist()))
    return chips[has_part], own, cycles[has_part]


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
    check = partial(check_trains, width=plan.strategy.tensor, chips=plan.strategy.chips)
    check(trains_at_least(plan, topology))
    stall_cycles = plan.task.machine.hac.epoch_cycles
    chain = Chain(
        transporter,
        chip=plan.task.machine.chip,
        stall_cycles=stall_cycles,
        interval_cycles=interval_cycles,
        check=check,
    )
    back = way_back(plan)
    stage_cycles, stage_hops = [], []
    if len(plan.stages) == 1:
        # A single stage is never idle: it deskews as the first thing of each token. A
        # chip on its own has no other to be in step with.
        if len(plan.stages[0].chips) > 1:
            chain.deskew()
    elif len(back):
        # The first stage deskews before the last token comes back to it.
        chain.deskewed_cycle = -(
            stall_cycles + transporter.transport(back).duration_cycles
        )
    else:
        # Nothing comes back: it deskews before the pass begins.
        chain.deskewed_cycle = -stall_cycles
    layers = Layers(plan, topology, transporter)
    begin = 0
    for stage in plan.stages:
        hops = chain.hops
        for block in stage.blocks:
            for operator in layers.operators(block):
                if isinstance(operator, Compute):
                    chain.compute(operator, stage.chips)
                    continue
                for phase in layers.phases(operator, stage):
                    chain.send(operator.name, phase.messages)
                    chain.compute(layers.added_up(phase), stage.chips)
        if stage.index + 1 == len(plan.stages):
            chain.send("way_back", back)
            stage_cycles.append(chain.now - begin)
        else:
            following = plan.stages[stage.index + 1]
            chain.send("hand_over", hand_over(plan, stage, following))
            stage_cycles.append(chain.now - begin)
            begin = chain.entries[-1].start_cycle
            # Until it comes, the next stage has nothing to do but to load weights.
            chain.prefetch.restart()
            chain.prefetch.free(begin, chain.now)
            # The next stage has been idle: it deskews just before this hand-over.
            chain.deskewed_cycle = begin - stall_cycles
        stage_hops.append(chain.hops - hops)
    return Timeline(
        entries=tuple(chain.entries),
        loads=tuple(chain.loads),
        spent=chain.spent,
        stage_cycles=tuple(stage_cycles),
        stage_hops=tuple(stage_hops),
        trains=chain.trains,
    )

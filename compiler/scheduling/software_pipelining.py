"""The pace of a full pipeline: what follows what, and who waits for whom on links.

A token as it is alone may be repeated as it stands, if some interval is found at which
it never meets itself. Where stages share links with others there mostly is none near
the pace of the slowest stage. So tokens are laid anew at that pace: what finds a link
taken by another stage's train waits, and each token is a little longer.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, final

from chip.program import Instructions
from compiler.ir.program_emission import Emitted, emit
from compiler.ir.timeline import Timeline
from compiler.routing.modulo_reservation_table import (
    ModuloReservationTable,
    contested_links,
)
from compiler.scheduling.data_parallel import side_by_side, started
from compiler.scheduling.initiation_interval import (
    sending,
    sequence_spacing,
    spacing_within,
)
from sharding.planner.plan import ShardingPlan
from specs.errors import ScheduleError
from specs.units import ceil_div
from topologies.topology import Topology

# What lays the tokens of all replicas among other traffic.
Lay = Callable[[ModuloReservationTable], Sequence[Timeline]]

# A forwarded vector may lie in the gap that was meant for a deskew; sequences or
# replicas a little further apart leave another.
_MOST_ATTEMPTS = 16
_MOST_RELAID = 2
# How often tokens are laid in search of a pace; two or three do unless links are full.
_MOST_LAID = 12
# A pace that is not held is followed by what it came to and a little more, or where
# some phase found no room by a thirtieth more.
_A_LITTLE = 4096
_MORE = 30


class Paced(NamedTuple):
    """Tokens that follow each other without ever meeting.

    Attributes
    ----------
    chain
        A token of all replicas.
    emitted
        Its instructions and trains.
    interval_cycles, period_cycles
        By how much sequences follow each other, 0 if there is one; and the time from a
        sequence's token to its next.
    """

    chain: Timeline
    emitted: Emitted
    interval_cycles: int
    period_cycles: int


@final
class Pacing:
    """Finds how soon a token may follow another.

    Parameters
    ----------
    plan, topology
        Who holds what, and the wiring.
    chains
        The token of each replica as it is alone.
    lay
        What lays them anew among other traffic; None if they cannot be.
    """

    def __init__(
        self,
        plan: ShardingPlan,
        topology: Topology,
        chains: Sequence[Timeline],
        lay: Lay | None,
    ) -> None:
        self._plan = plan
        self._topology = topology
        self._chains = chains
        self._lay = lay
        self._alone_cycles = max(chain.token_cycles for chain in chains)
        self._sequences = plan.sequences
        self._stall_cycles = plan.task.machine.hac.epoch_cycles
        self._several = plan.sequences > 1 or len(chains) > 1
        self._contested = frozenset[int]()
        if self._several and lay is not None:
            self._contested = contested_links(chains)

    def attempts(self) -> Iterator[Paced]:
        """Yield the best that is found, then others that leave more idle cycles."""
        if not self._contested:
            for attempt in range(_MOST_ATTEMPTS if self._several else 1):
                yield self._repeated(attempt)
            return
        for attempt in range(_MOST_RELAID):
            extra_cycles = attempt * self._stall_cycles
            found = [self._turned(extra_cycles)]
            if found[0] is None or found[0].period_cycles > self._alone_cycles:
                found.append(self._laid(extra_cycles))
            best = min(filter(None, found), key=_period_cycles, default=None)
            if best is not None:
                yield best

    def _turned(self, extra_cycles: int) -> Paced | None:
        """Return tokens as they are alone, if they can follow without a wait."""
        chain = self._side_by_side(0)
        emitted = self._emitted(chain)
        if self._sequences == 1:
            return Paced(chain, emitted, 0, chain.token_cycles)
        interval = spacing_within(
            self._met(emitted.instructions),
            self._sequences,
            at_least_cycles=self._pace_cycles(self._chains, extra_cycles),
            token_cycles=chain.token_cycles,
        )
        if interval is None:
            return None
        return Paced(chain, emitted, interval, chain.token_cycles)

    def _repeated(self, attempt: int) -> Paced:
        """Return tokens as they are alone, as far apart as they must be."""
        extra_cycles = attempt * self._stall_cycles
        # Replicas start further apart too, up to one after the other.
        chain = self._side_by_side(
            self._stall_cycles << (attempt - 1) if attempt else 0
        )
        emitted = self._emitted(chain)
        interval, period = sequence_spacing(
            self._met(emitted.instructions),
            self._sequences,
            at_least_cycles=self._pace_cycles(self._chains, extra_cycles),
            token_cycles=chain.token_cycles,
        )
        return Paced(chain, emitted, interval, period)

    def _laid(self, extra_cycles: int) -> Paced | None:
        """Return tokens that wait for each other on links, None if no pace is found."""
        assert self._lay is not None
        pace = self._held_cycles(self._chains, extra_cycles)
        found = None
        for _ in range(_MOST_LAID):
            try:
                chains = self._lay(ModuloReservationTable(pace, self._contested))
            except ScheduleError:
                pace += pace // _MORE + 1
                continue
            held = self._held_cycles(chains, extra_cycles)
            if held > pace and found is not None:
                break
            if held > pace:
                pace = held + held // _A_LITTLE
                continue
            found = chains, pace
            if held == pace:
                break
            pace = held
        if found is None:
            return None
        chains, pace = found
        chain = started(chains, [0] * len(chains))
        interval = pace if self._sequences > 1 else 0
        return Paced(chain, self._emitted(chain), interval, self._sequences * pace)

    def _held_cycles(self, chains: Sequence[Timeline], extra_cycles: int) -> int:
        """Return the least pace that stages and sequences can hold."""
        token = max(chain.token_cycles for chain in chains)
        if self._sequences == 1:
            return token
        pace = self._pace_cycles(chains, extra_cycles)
        return max(pace, ceil_div(token, self._sequences))

    def _pace_cycles(self, chains: Sequence[Timeline], extra_cycles: int) -> int:
        """Return the pace of the slowest stage, which needs a gap to deskew in."""
        slowest = max(max(chain.stage_cycles) for chain in chains)
        return slowest + self._stall_cycles + extra_cycles

    def _side_by_side(self, apart_cycles: int) -> Timeline:
        chip = self._plan.task.machine.chip
        return side_by_side(
            self._chains, self._topology, chip, apart_cycles=apart_cycles
        )

    def _emitted(self, chain: Timeline) -> Emitted:
        leader = int(self._plan.stages[0].chips[0])
        return emit(chain, self._topology, self._plan.task.machine.chip, leader)

    def _met(self, instructions: Instructions) -> Instructions:
        """Return the instructions that may meet those of other tokens.

        A stage is a token's own while it is there, and so are its links if no other
        stage takes them.
        """
        if self._lay is None:
            return instructions
        links = sorted(self._contested)
        ports = self._topology.source[links], self._topology.source_port[links]
        return sending(instructions, *ports)


def _period_cycles(paced: Paced) -> int:
    return paced.period_cycles

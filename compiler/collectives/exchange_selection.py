"""Exchange selection: the algorithm that costs least, and its additions."""

from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import NamedTuple, final

import numpy as np

from chip.operator_work import VectorWork
from compiler.collectives.phases import Adding, Candidate, Phase, adding_up
from compiler.cost.link_timing import hop_cycles, serialisation_cycles
from compiler.ir.identity_map import IdentityMap
from compiler.ir.messages import MessageTable
from compiler.ir.transfers import TransferModel
from sharding.operators.operators import Compute, Unit
from specs.arrays import Ints
from specs.errors import ScheduleError
from specs.machine import MachineSpec
from specs.units import ceil_div

# A schedule of this many trains takes 5 GB and two minutes to simulate.
MOST_TRAINS = 6_000_000
_NO_WORK = VectorWork(0, 1)


class Selected(NamedTuple):
    """A candidate with its phases, and their cycles and trains; 0 if it is alone."""

    candidate: Candidate
    phases: tuple[Phase, ...]
    cycles: int
    trains: int


class MessageShare(NamedTuple):
    """Share of a phase's messages: those that carry a part of their bytes at once.

    Attributes
    ----------
    messages
        The messages with as many bytes.
    rows
        The row of each in the phase, shape ``(messages,)``.
    """

    messages: MessageTable
    rows: Ints


def token_exchanges(layers: int) -> int:
    """Return about the exchanges of a token: two around each half of a layer."""
    return 4 * layers


def part_of(messages: MessageTable, begin: Ints, end: Ints) -> MessageTable:
    """Return messages of a range of the bytes of each, without empty ones."""
    return replace(messages, payload_bytes=end - begin).chosen(end > begin)


def most_messages(repeats: int) -> int:
    """Return the messages of an algorithm that can cost least in a schedule.

    With more, so many exchanges would take a tenth of all trains in their first hops.
    """
    return MOST_TRAINS // (10 * repeats)


@final
class ExchangeSelector:
    """Selection of the algorithm of an exchange that costs least among given chips.

    The cost is the time, multiplied by ``2 + trains / MOST_TRAINS``, where `trains` are
    those of a schedule that does all its exchanges in this way. So one that fills the
    memory costs as much as one that takes half as long again, and in a single exchange
    trains hardly count.

    Parameters
    ----------
    machine
        The chips that add partial sums.
    transfers
        Transfer model that times the messages.
    repeats
        Exchanges of the schedule.
    """

    def __init__(
        self,
        machine: MachineSpec,
        transfers: TransferModel,
        *,
        repeats: int = 1,
    ) -> None:
        self._machine = machine
        self._transfers = transfers
        self._repeats = repeats
        self._additions: IdentityMap[Phase, Adding] = IdentityMap()

    def selected(self, candidates: list[Candidate]) -> list[Selected]:
        """Return the candidates that were timed, in ascending order of their costs.

        Those that cost more than the best however they are scheduled are left out.
        """
        hop = hop_cycles(self._machine, 1)
        found: list[tuple[int, Selected]] = []
        for each in candidates:
            # Without trains: a lower bound on time must be the least of all forms.
            bound = self._cost(each.steps * hop, 0)
            if found and bound >= min(cost for cost, _ in found):
                continue
            phases = each.phases()
            if len(candidates) == 1:
                return [Selected(each, phases, 0, 0)]
            timed = [self._transfers.transport(made.messages) for made in phases]
            cycles = sum(transport.duration_cycles for transport in timed) + sum(
                int(self._adding(made).cycles.max(initial=0)) for made in phases
            )
            trains = sum(len(transport.link) for transport in timed)
            selected = Selected(each, phases, cycles, trains)
            found.append((self._cost(cycles, trains), selected))
        found.sort(key=lambda one: one[0])
        return [selected for _, selected in found]

    def shares(
        self, messages: MessageTable, room_cycles: int | None
    ) -> list[MessageShare]:
        """Return the parts of a phase that each fit between two deskews, with its rows.

        Parameters and errors are those of `cuts`.
        """
        cuts = self.cuts(messages, room_cycles)
        if len(cuts) == 1:
            return [MessageShare(messages, np.arange(len(messages)))]
        return [
            MessageShare(part_of(messages, begin, end), np.flatnonzero(end > begin))
            for begin, end in cuts
        ]

    def cuts(
        self, messages: MessageTable, room_cycles: int | None
    ) -> list[tuple[Ints, Ints]]:
        """Return the range of each message's bytes in parts of a collective's phase.

        Each part fits between two deskews.

        Parameters
        ----------
        messages
            Messages of the phase.
        room_cycles
            Cycles between two deskews, None for no limit.

        Returns
        -------
        list
            First byte of each message and the one behind its last, shape
            ``(messages,)`` each, of each part.

        Raises
        ------
        ScheduleError
            If even a single vector takes longer.
        """
        needed = self._transfers.transport(messages).duration_cycles
        if room_cycles is None or needed <= room_cycles:
            return [(0 * messages.payload_bytes, messages.payload_bytes)]
        machine, sizes = self._machine, messages.payload_bytes
        vectors = -(-sizes // machine.link.vector_bytes)
        largest = int(vectors.max())
        single = np.minimum(sizes, machine.link.vector_bytes)
        once = self._transfers.transport(
            replace(messages, payload_bytes=single)
        ).duration_cycles
        if once > room_cycles:
            raise ScheduleError(
                f"a phase of single vectors takes {once} cycles, and {room_cycles} "
                f"are left between two deskews; use a longer deskew.interval_epochs or "
                f"'auto', or steadier crystals (clock.drift_ppm below "
                f"{machine.clock.drift_ppm:g})"
            )
        # The first vector of a part is within `once`.
        line = serialisation_cycles(machine, 1)
        fewest = ceil_div(needed - once + line, room_cycles - once + line)
        for pieces in range(min(max(2, fewest), largest), largest + 1):
            ends = [
                np.minimum(vectors * n // pieces * machine.link.vector_bytes, sizes)
                for n in range(pieces + 1)
            ]
            cuts = list(pairwise(ends))
            parts = [part_of(messages, *each) for each in cuts]
            timed = map(self._transfers.transport, parts)
            if all(part.duration_cycles <= room_cycles for part in timed):
                break
        return cuts

    def added_up(self, phase: Phase, chips: Ints) -> Compute:
        """Return the addition of the partial sums after `phase`, for each of `chips`.

        It takes 0 cycles on chips that add nothing.
        """
        adding = self._adding(phase)
        cycles = np.zeros(len(chips), dtype=np.int64)
        works = [_NO_WORK] * len(chips)
        place = {chip: number for number, chip in enumerate(chips.tolist())}
        for chip, work, took in zip(*adding, strict=True):
            works[place[int(chip)]] = work
            cycles[place[int(chip)]] = took
        return Compute("add_up", Unit.VECTOR, tuple(works), cycles, cycles)

    def _adding(self, phase: Phase) -> Adding:
        """Return the addition after a phase, computed once."""
        return self._additions.of(phase, partial(adding_up, self._machine))

    def _cost(self, cycles: int, trains: int) -> int:
        """Return the cost of an exchange of so many cycles and trains."""
        return cycles * (2 * MOST_TRAINS + self._repeats * trains)

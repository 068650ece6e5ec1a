"""Stage scheduler: the timeline of a collective, with its additions and deskews."""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple, final

import numpy as np

from chip.program import Deskews
from compiler.collectives.stages import Adding, CollectiveStage, adding_up
from compiler.cost.link_timing import LinkTiming, serialisation_cycles
from compiler.ir.identity_map import IdentityMap
from compiler.ir.timeline import ComputeEntry, Timeline, TimelineEntry, TransportEntry
from compiler.ir.transfers import CycleBreakdown, Transport
from compiler.routing.bulk_reservation import reserve
from compiler.routing.striping import striped
from sharding.operators.operators import Unit
from specs.errors import ScheduleError
from specs.machine import MachineSpec
from specs.units import ceil_div
from topologies.routing.minimal_paths import minimal_paths
from topologies.routing.parallel_links import Lanes
from topologies.topology import Topology


class CollectiveTimeline(NamedTuple):
    """Timeline of a collective, and the deskews of its chips.

    Attributes
    ----------
    timeline
        Transfers and additions in order.
    deskew_cycles
        Start cycle of each deskew, for all chips together.
    """

    timeline: Timeline
    deskew_cycles: tuple[int, ...]


@final
class StageScheduler:
    """Scheduler of stages on the links of a machine, each distinct stage once.

    Parameters
    ----------
    topology, machine, timing
        Links and chips, and the timing of the links.
    """

    def __init__(
        self, topology: Topology, machine: MachineSpec, timing: LinkTiming
    ) -> None:
        self._topology = topology
        self._machine = machine
        self._timing = timing
        self._lanes = Lanes(topology)
        self._transports: IdentityMap[CollectiveStage, Transport] = IdentityMap()
        self._additions: IdentityMap[CollectiveStage, Adding] = IdentityMap()

    def transport(self, made: CollectiveStage) -> Transport:
        """Return the transport of a stage, in cycles from its start."""
        return self._transports.of(made, self._scheduled)

    def timeline(
        self, stages: Sequence[CollectiveStage], interval_cycles: int
    ) -> CollectiveTimeline:
        """Return the timeline of the stages in order, with deskews where they are due.

        Parameters
        ----------
        stages
            Stages of the collective.
        interval_cycles
            Longest time from the start of a deskew to the end of a vector that relies
            on it, in cycles; 0 for no deskews.

        Raises
        ------
        ScheduleError
            If even a single vector takes longer.
        """
        stall_cycles = self._machine.hac.epoch_cycles if interval_cycles else 0
        entries: list[TimelineEntry] = []
        deskews: list[int] = []
        spent, hops, trains = CycleBreakdown(), 0, 0
        for number, made in enumerate(stages):
            for part in self._parts(made, interval_cycles):
                transport = self.transport(part)
                due = spent.total + transport.duration_cycles
                if interval_cycles and (
                    not deskews or due - deskews[-1] > interval_cycles
                ):
                    deskews.append(spent.total)
                    spent = spent.plus(CycleBreakdown(deskew=stall_cycles))
                entries.append(
                    TransportEntry(
                        spent.total,
                        len(entries),
                        f"{made.dimension} {number}",
                        transport,
                    )
                )
                spent = spent.plus(transport.spent)
                hops += transport.hops
                trains += len(transport.link)
            adding = self._adding(made)
            if len(adding.cycles) and adding.cycles.max():
                entries.append(
                    ComputeEntry(
                        spent.total, len(entries), "add_up", Unit.VECTOR, *adding
                    )
                )
                spent = spent.plus(CycleBreakdown(compute=int(adding.cycles.max())))
        timeline = Timeline(
            entries=tuple(entries),
            loads=(),
            spent=spent,
            stage_cycles=(spent.total,),
            stage_hops=(hops,),
            trains=trains,
        )
        return CollectiveTimeline(timeline, tuple(deskews))

    def _scheduled(self, made: CollectiveStage) -> Transport:
        """Return the transport of a stage, striped where its paths are minimal."""
        paths = made.path.astype(np.int32)
        if (paths[:, 0] < 0).any():
            paths = minimal_paths(self._topology, made.source, made.target)
            sent = striped(self._lanes, self._machine, paths, made.vectors)
            return reserve(self._machine, self._timing, sent.path, sent.vectors)
        return reserve(self._machine, self._timing, paths, made.vectors)

    def _adding(self, made: CollectiveStage) -> Adding:
        """Return the addition after a stage, computed once."""
        return self._additions.of(made, partial(adding_up, self._machine))

    def _parts(
        self, made: CollectiveStage, interval_cycles: int
    ) -> list[CollectiveStage]:
        """Return the parts of a stage that each fit between two deskews."""
        needed = self.transport(made).duration_cycles
        room_cycles = interval_cycles - self._machine.hac.epoch_cycles
        if not interval_cycles or needed <= room_cycles:
            return [made]
        largest = int(made.vectors.max())
        once = needed - serialisation_cycles(self._machine, largest)
        if largest == 1 or once >= room_cycles:
            raise ScheduleError(
                f"a stage takes {once} cycles beside its vectors, and {room_cycles} "
                f"are left between two deskews; use a longer deskew.interval_epochs or "
                f"'auto', or steadier crystals (clock.drift_ppm below "
                f"{self._machine.clock.drift_ppm:g})"
            )
        pieces = ceil_div(needed - once, room_cycles - once)
        edges = [made.vectors * n // pieces for n in range(pieces + 1)]
        return [
            _nonempty(made._replace(vectors=end - begin))
            for begin, end in pairwise(edges)
        ]


def _nonempty(made: CollectiveStage) -> CollectiveStage:
    """Return a stage without its empty messages."""
    real = made.vectors > 0
    return made._replace(
        source=made.source[real],
        target=made.target[real],
        vectors=made.vectors[real],
        path=made.path[real],
    )


def deskews_of(
    scheduled: CollectiveTimeline,
    topology: Topology,
    *,
    interval_cycles: int,
    stall_cycles: int,
) -> Deskews:
    """Return the deskews of chips that send, relay or receive in a collective."""
    links = np.unique(
        np.concatenate(
            [
                entry.transport.link
                for entry in scheduled.timeline.entries
                if isinstance(entry, TransportEntry)
            ]
        )
    )
    chips = np.union1d(topology.source[links], topology.target[links])
    cycles = np.array(scheduled.deskew_cycles, dtype=np.int64)
    return Deskews(
        chip=np.repeat(chips, len(cycles)).astype(np.int32),
        start_cycle=np.tile(cycles, len(chips)),
        stall_cycles=stall_cycles,
        interval_cycles=interval_cycles,
    )

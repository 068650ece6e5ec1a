"""Segments of a run in succession, after program switches and after failures."""

from collections.abc import Iterator, Sequence
from typing import final

import numpy as np

from chip.program import Program
from fabric.clocks.crystals import Crystals
from fabric.clocks.start_propagation import Start
from fabric.faults.delivery import Failure, SequenceState
from fabric.faults.spares import Spares
from fabric.results.deskew_log import DeskewLog
from fabric.results.result import Failover
from fabric.runtime.failing_over import fail_over
from fabric.runtime.hardware import Align, Hardware
from fabric.runtime.program_switch import Change, start_after
from fabric.runtime.segment import Segment
from fabric.runtime.step_layout import lay_out
from specs.faults import Fault
from specs.machine import MachineSpec
from topologies.topology import Topology


@final
class RunSegments:
    """Segments of a run, each assembled after the one before.

    Parameters
    ----------
    topology, machine
        Machine that executes the programs.
    seed
        Seed of all random draws.
    tokens
        Tokens of each sequence.
    faults
        Fault script.
    spares
        Planner of failovers; there are none if None.
    changes
        Program switches, in order.
    align
        Function of the start propagation, the crystals, and a global time that returns
        the start.
    """

    def __init__(
        self,
        topology: Topology,
        machine: MachineSpec,
        *,
        seed: int,
        tokens: int,
        faults: Sequence[Fault],
        spares: Spares | None,
        align: Align,
        changes: Sequence[Change] = (),
    ) -> None:
        self._hardware = Hardware(
            topology, machine, seed=seed, faults=faults, spares=spares, align=align
        )
        self._limits = [*(change.token for change in changes), tokens]
        self._changes = list(changes)
        self._removed = np.zeros(topology.chips, dtype=np.int64)

    def of(self, program: Program) -> Iterator[Segment]:
        """Yield the segments of a run that begins with `program`.

        Raises
        ------
        ScheduleError
            If the chips cannot be aligned.
        """
        chips = self._hardware.aligned(program.leader)
        segment = self._started(
            program,
            chips.crystals,
            self._hardware.start(chips, 0),
            (SequenceState(),) * program.sequences,
        )
        yield segment
        while True:
            if segment.delivery.failure is not None:
                segment = self._following(segment, segment.delivery.failure)
            elif self._changes and not all(
                each.given_up for each in segment.delivery.waiting
            ):
                segment = self._changed(segment, self._changes.pop(0))
            else:
                break
            yield segment

    def ended(self, deskews: DeskewLog) -> None:
        """Take the deskews of the segment that has ended."""
        self._removed = deskews.removed

    def _changed(self, segment: Segment, change: Change) -> Segment:
        """Return the segment of another program, from the boundary of a token on."""
        hardware, start = self._hardware, start_after(segment, self._removed)
        self._limits.pop(0)
        hardware.spares = change.spares
        program = change.program
        if hardware.moved is not None and change.spares is not None:
            # The same chips: what has broken since has not been noticed yet.
            moved = change.spares.moved(
                hardware.bad_nodes, hardware.known, hardware.moved
            )
            hardware.moved, program = moved, moved.program
        return self._started(
            program,
            segment.crystals,
            start,
            segment.delivery.waiting,
            first_iteration=segment.first_iteration + max(segment.delivery.iterations),
        )

    def _following(self, segment: Segment, failure: Failure) -> Segment:
        """Return the segment after a failure, on chips of a spare node."""
        over = fail_over(self._hardware, segment, failure)
        moved = self._hardware.moved
        assert moved is not None
        return self._started(
            moved.program,
            over.chips.crystals,
            over.start,
            over.waiting,
            first_iteration=segment.first_iteration + max(segment.delivery.iterations),
            failovers=over.failovers,
        )

    def _started(
        self,
        program: Program,
        crystals: Crystals,
        start: Start,
        waiting: tuple[SequenceState, ...],
        *,
        first_iteration: int = 0,
        failovers: tuple[Failover, ...] = (),
    ) -> Segment:
        """Return the segment of a program on chips that are aligned."""
        hardware = self._hardware
        loaded = hardware.load(
            program,
            crystals,
            start.cycle[program.leader],
            draws=hardware.draws,
            first_iteration=first_iteration,
        )
        return Segment(
            program=program,
            topology=hardware.topology,
            machine=hardware.machine,
            layout=lay_out(program),
            draws=hardware.draws,
            crystals=crystals,
            errors=loaded.errors,
            outages=loaded.outages,
            dispatcher=loaded.dispatcher,
            delivery=loaded.dispatcher.plan(waiting, self._limits[0]),
            first_iteration=first_iteration,
            start=start,
            failovers=failovers,
        )

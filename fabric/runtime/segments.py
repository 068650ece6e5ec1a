"""Segments of a run in succession, after program switches and after failures."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import final

import numpy as np

from chip.program import Program
from fabric.clocks.aligned_crystals import make_crystals
from fabric.clocks.crystals import Clocks, Crystals, make_clocks
from fabric.clocks.start_propagation import Start, StartPropagation, propagate_start
from fabric.faults.delivery import Failure, SequenceState
from fabric.faults.fault_script import Outages, outages
from fabric.faults.link_errors import LinkErrors
from fabric.faults.losses import Losses
from fabric.faults.replay_policy import Dispatcher
from fabric.faults.spares import Moved, Spares
from fabric.random_streams import Draws
from fabric.results.deskew_log import DeskewLog
from fabric.results.result import Failover
from fabric.runtime.program_switch import Change, start_after
from fabric.runtime.segment import Segment
from fabric.runtime.step_layout import lay_out
from specs.errors import RackError
from specs.faults import Fault
from specs.machine import MachineSpec
from topologies.outage import NO_OUTAGE, Outage
from topologies.routing.spanning_tree import alignment_tree
from topologies.topology import Topology

Align = Callable[[StartPropagation, Crystals, int], Start]


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
        self._topology = topology
        self._machine = machine
        self._seed = seed
        self._draws = Draws(seed)
        self._limits = [*(change.token for change in changes), tokens]
        self._changes = list(changes)
        self._faults = faults
        self._spares = spares
        self._align = align
        self._zero_ps: int | None = None
        self._clocks: Clocks | None = None
        self._bad_nodes: tuple[int, ...] = ()
        self._moved: Moved | None = None
        self._removed = np.zeros(topology.chips, dtype=np.int64)

    def of(self, program: Program) -> Iterator[Segment]:
        """Yield the segments of a run that begins with `program`.

        Raises
        ------
        ScheduleError
            If the chips cannot be aligned.
        """
        waiting = (SequenceState(),) * program.sequences
        segment = self._assembled(program, NO_OUTAGE, waiting)
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
        start = start_after(segment, self._removed)
        self._limits.pop(0)
        self._spares = change.spares
        program = change.program
        if self._moved is not None and change.spares is not None:
            outage = self._outage(segment.outages, segment.last_cycle, self._bad_nodes)
            moved = change.spares.moved(self._bad_nodes, outage, self._moved)
            self._moved, program = moved, moved.program
        return self._started(
            program,
            segment.crystals,
            start,
            segment.delivery.waiting,
            segment.first_iteration + max(segment.delivery.iterations),
        )

    def _following(self, segment: Segment, failure: Failure) -> Segment:
        """Return the segment after a failure: load the moved program, align, start."""
        moved, end_ps = failure.moved, segment.scheduled_ps(segment.last_cycle)
        load_ps = self._machine.host.load_ps(moved.most_loaded_bytes)
        self._bad_nodes += (failure.node,)
        self._moved = moved
        following = self._assembled(
            moved.program,
            # Outages that the moved program avoids; later ones it must detect.
            self._outage(segment.outages, failure.end_cycle, self._bad_nodes),
            tuple(
                each._replace(suspects=frozenset()) for each in segment.delivery.waiting
            ),
            at_ps=end_ps + load_ps,
            first_iteration=segment.first_iteration + max(segment.delivery.iterations),
        )
        failover = Failover(
            sequence=failure.sequence,
            iteration=segment.first_iteration + failure.iteration,
            token=failure.token,
            link=failure.link,
            chip=failure.chip,
            bad_node=failure.node,
            spare_node=moved.spare_node,
            stopped_ps=end_ps,
            loaded_bytes=moved.loaded_bytes,
            load_ps=load_ps,
            resumed_ps=following.scheduled_ps(0),
        )
        return replace(following, failover=failover)

    def _assembled(
        self,
        program: Program,
        outage: Outage,
        waiting: tuple[SequenceState, ...],
        *,
        at_ps: int = 0,
        first_iteration: int = 0,
    ) -> Segment:
        """Return the segment of a program whose chips are aligned first."""
        topology, machine, draws = self._topology, self._machine, self._draws
        leader = program.leader
        if self._clocks is None:
            self._clocks = make_clocks(machine, topology.chips, leader, draws)
        tree = alignment_tree(topology, machine, leader, outage)
        fresh = Draws(self._seed, start=len(self._bad_nodes))
        crystals = make_crystals(
            machine, topology, tree, clocks=self._clocks, draws=fresh
        )
        start = self._align(
            propagate_start(machine, topology, tree, fresh), crystals, at_ps
        )
        return self._started(program, crystals, start, waiting, first_iteration)

    def _started(
        self,
        program: Program,
        crystals: Crystals,
        start: Start,
        waiting: tuple[SequenceState, ...],
        first_iteration: int,
    ) -> Segment:
        """Return the segment of a program on chips that are aligned."""
        topology, machine, draws = self._topology, self._machine, self._draws
        root, begin = crystals.root, start.cycle[program.leader]
        if self._zero_ps is None:
            self._zero_ps = root.edge_ps(begin)
        out = outages(
            self._faults,
            topology,
            root=root,
            start_cycle=begin,
            zero_ps=self._zero_ps,
        )
        errors = LinkErrors(machine, program, draws, out)

        def move(node: int, cycle: int) -> Moved | str:
            bad_nodes = (*self._bad_nodes, node)
            if self._spares is None:
                return f"node {node} has no spare; keep nodes idle (spares=1)"
            try:
                out_of_order = self._outage(out, cycle, bad_nodes)
                return self._spares.moved(bad_nodes, out_of_order, self._moved)
            except RackError as error:
                return str(error)

        dispatcher = Dispatcher(
            program,
            topology,
            errors=errors,
            losses=Losses(program, topology, machine, out),
            first_iteration=first_iteration,
            move=move,
        )
        return Segment(
            program=program,
            topology=topology,
            machine=machine,
            layout=lay_out(program),
            draws=draws,
            crystals=crystals,
            errors=errors,
            outages=out,
            dispatcher=dispatcher,
            delivery=dispatcher.plan(waiting, self._limits[0]),
            first_iteration=first_iteration,
            start=start,
        )

    def _outage(self, out: Outages, cycle: int, bad_nodes: tuple[int, ...]) -> Outage:
        """Return the outage at a program cycle: bad nodes, dead chips and links."""
        node = self._topology.node.tolist()
        bad = frozenset(chip for chip, own in enumerate(node) if own in bad_nodes)
        return Outage(chips=bad | out.stopped_at(cycle), links=out.dead_at(cycle))

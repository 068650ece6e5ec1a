"""Replay engine: a run as a vectorised evaluation of the instruction table.

No hardware decides at run time, so no event loop is needed. The crystal and the drift
that deskews have removed give the time of a chip's cycles. A train arrives its latency
after its step, and slack is a difference. The integers are those of
`fabric.simulation`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import final

from chip.program import Program
from fabric.clocks.start_propagation import StartPropagation
from fabric.faults.spares import Spares
from fabric.replay_engine.fifo_occupancy import Occupancy, Timed
from fabric.replay_engine.step_times import Offsets
from fabric.results.deskew_log import DeskewLog
from fabric.results.iteration_log import NEVER
from fabric.results.result import RunResult
from fabric.runtime.program_switch import Change
from fabric.runtime.segment import Segment
from fabric.runtime.segments import RunSegments
from fabric.statistics.run_statistics import RunStatistics
from fabric.statistics.timing_check import TimingCheck
from specs.faults import Fault
from specs.machine import MachineSpec
from specs.units import PS_PER_S
from topologies.topology import Topology


def replay(
    program: Program,
    topology: Topology,
    machine: MachineSpec,
    *,
    seed: int,
    tokens: int,
    faults: Sequence[Fault] = (),
    spares: Spares | None = None,
    changes: Sequence[Change] = (),
    keep: frozenset[int] = frozenset(),
    progress: Callable[[int], None] | None = None,
) -> RunResult:
    """Run the fabric as a whole by replay, with the result of `simulate`.

    Parameters and errors are those of `simulate`.
    """
    statistics = RunStatistics(topology, tokens=tokens, keep=keep)
    segments = RunSegments(
        topology,
        machine,
        seed=seed,
        tokens=tokens,
        faults=faults,
        spares=spares,
        changes=changes,
        align=StartPropagation.start,
    )
    for segment in segments.of(program):
        statistics.open(segment)
        deskews = _Replay(segment, statistics).execute(progress)
        statistics.close(deskews)
        segments.ended(deskews)
    return statistics.result()


@final
class _Replay:
    """Replay of one segment, iteration by iteration.

    Parameters
    ----------
    segment
        Segment that is replayed.
    statistics
        Statistics that iterations are added to.
    """

    def __init__(self, segment: Segment, statistics: RunStatistics) -> None:
        self._segment = segment
        self._statistics = statistics
        self._deskews = DeskewLog(segment.topology.chips, len(segment.program.deskews))
        self._offsets = Offsets(segment, self._deskews)
        self._occupancy = Occupancy(segment)
        self._steady = segment.steady
        self._recurring: dict[tuple[int, int], TimingCheck] = {}

    def execute(self, progress: Callable[[int], None] | None) -> DeskewLog:
        """Add all iterations to the statistics; return the segment's deskews."""
        counts = self._segment.delivery.iterations
        for iteration in range(max(counts)):
            horizon_ps = 2**63 - 1
            for sequence, iterations in enumerate(counts):
                if iteration < iterations and not self._recurs(sequence, iteration):
                    timed = self._timed(sequence, iteration)
                    self._occupancy.add(timed)
                    # Each chip's next iteration comes after this one, step by step.
                    executed = timed.step_ps[timed.step_ps != NEVER]
                    horizon_ps = min(horizon_ps, int(executed.min(initial=horizon_ps)))
            if horizon_ps < 2**63 - 1:
                self._enter(self._occupancy.settle(horizon_ps))
            if progress is not None:
                progress(len(self._statistics.iterations))
        self._enter(self._occupancy.settle(None))
        self._offsets.finish()
        if progress is not None:
            progress(len(self._statistics.iterations))
        return self._deskews

    def _timed(self, sequence: int, iteration: int) -> Timed:
        """Return the times of an iteration."""
        step_ps = self._offsets.step_ps(sequence, iteration)
        latency_ps = self._segment.latency_ps(sequence, iteration)
        arrival_ps = step_ps[self._segment.layout.send_step] + latency_ps
        if self._segment.delivery.attempts[sequence][iteration].lost:
            arrival_ps[latency_ps == NEVER] = NEVER
        return Timed(sequence, iteration, step_ps, arrival_ps, {})

    def _enter(self, over: list[Timed]) -> None:
        """Add iterations that have ended, and remember the checks that may recur."""
        statistics = self._statistics
        for timed in over:
            sequence, iteration, step_ps, arrival_ps, overflows = timed
            check = statistics.checker.check(step_ps, arrival_ps, sequence, iteration)
            statistics.add(sequence, iteration, check, overflows)
            statistics.record(sequence, iteration, step_ps, arrival_ps)
            if self._may_recur(sequence, iteration) and not (
                self._occupancy.is_suspicious(timed)
            ):
                self._recurring[sequence, self._phase(sequence, iteration)] = check

    def _may_recur(self, sequence: int, iteration: int) -> bool:
        """Return whether an iteration has the times of any other without faults."""
        attempt = self._segment.delivery.attempts[sequence][iteration]
        return self._steady and not (attempt.lost or attempt.halted)

    def _recurs(self, sequence: int, iteration: int) -> bool:
        """Add an iteration with the shifted times of an earlier one, if there is one.

        If all crystals are alike, iterations that begin at the same part of a
        picosecond have the same times. So a steady state is computed once.
        """
        segment, statistics = self._segment, self._statistics
        if not self._may_recur(sequence, iteration) or statistics.keeps(iteration):
            return False
        earlier = self._recurring.get((sequence, self._phase(sequence, iteration)))
        if earlier is None:
            return False
        begin_ps = segment.scheduled_ps(
            segment.dispatcher.base_cycle(sequence, iteration)
        )
        end_ps = begin_ps + earlier.end_ps - earlier.begin_ps
        check = replace(earlier, begin_ps=begin_ps, end_ps=end_ps)
        statistics.add(sequence, iteration, check, {})
        return True

    def _phase(self, sequence: int, iteration: int) -> int:
        """Return the part of a picosecond at which an iteration begins."""
        # In units of the nominal clock's inverse frequency.
        segment = self._segment
        base = segment.dispatcher.base_cycle(sequence, iteration)
        cycle = segment.start.cycle[segment.program.leader] + base
        return cycle * PS_PER_S % segment.machine.chip.clock_hz

"""The fast engine: the same run as a vectorised evaluation of the instruction table.

Nothing in the machine decides at run time, so no event loop is needed: a chip's cycles
become times by its crystal and by what its deskews have removed, a train arrives its
latency after its step, and slack is a difference. The integers are those of
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
    """Return what `fabric.simulation.simulate` returns, without an event loop.

    Parameters and errors are those of `simulate`.
    """
    ledger = RunStatistics(topology, tokens=tokens, keep=keep)
    stints = RunSegments(
        topology,
        machine,
        seed=seed,
        tokens=tokens,
        faults=faults,
        spares=spares,
        changes=changes,
        align=StartPropagation.start,
    )
    for run in stints.of(program):
        ledger.open(run)
        deskews = _Replay(run, ledger).execute(progress)
        ledger.close(deskews)
        stints.ended(deskews)
    return ledger.result()


@final
class _Replay:
    """One stint, iteration by iteration.

    Parameters
    ----------
    run
        The stint.
    ledger
        Takes what has happened.
    """

    def __init__(self, run: Segment, ledger: RunStatistics) -> None:
        self._run = run
        self._ledger = ledger
        self._deskews = DeskewLog(run.topology.chips, len(run.program.deskews))
        self._offsets = Offsets(run, self._deskews)
        self._occupancy = Occupancy(run)
        self._steady = run.steady
        self._recurring: dict[tuple[int, int], TimingCheck] = {}

    def execute(self, progress: Callable[[int], None] | None) -> DeskewLog:
        """Enter all iterations; return the stint's deskews."""
        counts = self._run.delivery.iterations
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
                progress(len(self._ledger.iterations))
        self._enter(self._occupancy.settle(None))
        self._offsets.finish()
        if progress is not None:
            progress(len(self._ledger.iterations))
        return self._deskews

    def _timed(self, sequence: int, iteration: int) -> Timed:
        """Return an iteration with all its times."""
        step_ps = self._offsets.step_ps(sequence, iteration)
        latency_ps = self._run.latency_ps(sequence, iteration)
        arrival_ps = step_ps[self._run.layout.send_step] + latency_ps
        if self._run.delivery.attempts[sequence][iteration].lost:
            arrival_ps[latency_ps == NEVER] = NEVER
        return Timed(sequence, iteration, step_ps, arrival_ps, {})

    def _enter(self, over: list[Timed]) -> None:
        """Enter iterations that are over, and remember what may recur."""
        ledger = self._ledger
        for timed in over:
            sequence, iteration, step_ps, arrival_ps, overflows = timed
            verdict = ledger.judge.verdict(step_ps, arrival_ps, sequence, iteration)
            ledger.add(sequence, iteration, verdict, overflows)
            ledger.record(sequence, iteration, step_ps, arrival_ps)
            if self._may_recur(sequence, iteration) and not (
                self._occupancy.is_suspicious(timed)
            ):
                self._recurring[sequence, self._phase(sequence, iteration)] = verdict

    def _may_recur(self, sequence: int, iteration: int) -> bool:
        attempt = self._run.delivery.attempts[sequence][iteration]
        return self._steady and not (attempt.lost or attempt.halted)

    def _recurs(self, sequence: int, iteration: int) -> bool:
        """Enter an iteration whose times are those of an earlier one, only later.

        With crystals that are all alike, an iteration that begins at the same part of a
        picosecond is the same to the last one: a steady state need not be computed
        twice.
        """
        run, ledger = self._run, self._ledger
        if not self._may_recur(sequence, iteration) or ledger.keeps(iteration):
            return False
        earlier = self._recurring.get((sequence, self._phase(sequence, iteration)))
        if earlier is None:
            return False
        begin_ps = run.scheduled_ps(run.dispatcher.base_cycle(sequence, iteration))
        end_ps = begin_ps + earlier.end_ps - earlier.begin_ps
        verdict = replace(earlier, begin_ps=begin_ps, end_ps=end_ps)
        ledger.add(sequence, iteration, verdict, {})
        return True

    def _phase(self, sequence: int, iteration: int) -> int:
        """Return the part of a picosecond at which an iteration begins."""
        run = self._run
        base = run.dispatcher.base_cycle(sequence, iteration)
        cycle = run.start.cycle[run.program.leader] + base
        return cycle * PS_PER_S % run.machine.chip.clock_hz

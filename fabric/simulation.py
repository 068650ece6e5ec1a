"""Reference engine: SimPy processes execute the program of every chip."""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import simpy

from chip.program import Program
from fabric.clocks.crystals import Crystals
from fabric.clocks.start_propagation import Start, StartPropagation
from fabric.faults.spares import Spares
from fabric.results.deskew_log import DeskewLog
from fabric.results.iteration_log import NEVER, Flight, FlightLog
from fabric.results.result import RunResult
from fabric.runtime.program_switch import Change
from fabric.runtime.segment import Segment
from fabric.runtime.segments import RunSegments
from fabric.simpy_engine.link import Link
from fabric.simpy_engine.loader import load_steps
from fabric.simpy_engine.processor import Processor
from fabric.simpy_engine.start_alignment import Alignment
from fabric.statistics.run_statistics import RunStatistics
from specs.faults import Fault
from specs.machine import MachineSpec
from topologies.topology import Topology


def simulate(
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
    """Simulate the whole fabric, link by link and chip by chip; return its result.

    Parameters
    ----------
    program
        Program of all chips.
    topology
        Topology of the machine.
    machine
        Chips, links, clocks.
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
    keep
        Numbers of the iterations of which every time is recorded.
    progress
        Called with the number of finished iterations whenever one finishes.

    Raises
    ------
    ScheduleError
        If the chips cannot be aligned.
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
        align=_align,
    )
    for segment in segments.of(program):
        statistics.open(segment)
        with _no_search_for_cycles():
            deskews = _execute(segment, statistics, progress)
            statistics.close(deskews)
        segments.ended(deskews)
    return statistics.result()


def _align(propagation: StartPropagation, crystals: Crystals, from_ps: int) -> Start:
    """Return the aligned start of the fabric's chips, event by event."""
    return Alignment(simpy.Environment(), propagation, crystals).run(from_ps)


@contextmanager
def _no_search_for_cycles() -> Iterator[None]:
    """Pause Python's cyclic garbage collector, which a run of the fabric does not need.

    It would traverse all steps repeatedly, a quarter of a run's time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _execute(
    segment: Segment, statistics: RunStatistics, progress: Callable[[int], None] | None
) -> DeskewLog:
    """Run all chips of the fabric until the last iteration; return their deskews."""
    program, machine, start = segment.program, segment.machine, segment.start
    env = simpy.Environment()
    flights = _flights(segment, statistics, progress)
    deskews = DeskewLog(segment.topology.chips, len(program.deskews))
    links = {
        int(link): Link(
            env,
            vector_ps=segment.vector_ps,
            jitter_ps=segment.jitter_span_ps,
            fifo_vectors=machine.link.fifo_vectors,
        )
        for link in np.unique(program.trains.link)
    }
    for chip, steps in load_steps(program, segment.layout, links).items():
        processor = Processor(
            env,
            chip=chip,
            clock=segment.crystals.clocks.each[chip],
            counter=segment.crystals.counters[chip],
            steps=steps,
            start_cycle=start.cycle[chip],
            start_count=start.count,
            period_cycles=program.period_cycles,
            epoch_cycles=machine.hac.epoch_cycles,
            stop_cycle=int(segment.outages.stop_cycle[chip]),
            deskews=deskews,
        )
        env.process(processor.run(flights, segment.periods, segment.last_cycle))
    env.run()
    flights.close_all()
    return deskews


def _flights(
    segment: Segment, statistics: RunStatistics, progress: Callable[[int], None] | None
) -> FlightLog:
    """Return the log of the fabric's iterations, which adds each finished one."""
    vectors = segment.program.trains.vectors.tolist()

    def make(sequence: int, iteration: int) -> Flight:
        step_ps = [-1] * len(segment.layout)
        executed = segment.executed(sequence, iteration)
        if executed is not None:
            step_ps = np.where(executed, -1, NEVER).tolist()
        return Flight(
            sequence,
            iteration,
            latency_ps=segment.latency_ps(sequence, iteration).tolist(),
            vectors=vectors,
            step_ps=step_ps,
        )

    def close(flight: Flight) -> None:
        statistics.add_flight(flight)
        if progress is not None:
            progress(len(statistics.iterations))

    return FlightLog(segment.delivery.iterations, make, close)

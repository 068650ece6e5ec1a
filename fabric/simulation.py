"""The reference engine: SimPy processes execute the programs of all chips."""

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
    """Return what happens when the chips execute `program`.

    Parameters
    ----------
    program
        What every chip does during a token.
    topology
        The wiring.
    machine
        Chips, links, clocks.
    seed
        Where all chance comes from.
    tokens
        Tokens of each sequence.
    faults
        What breaks, and when.
    spares
        Where the program can go when a node is bad; nowhere if None.
    changes
        Programs that take over at later tokens, in order.
    keep
        Numbers of the iterations of which every time is kept.
    progress
        Called with the number of iterations finished, each time one is.

    Raises
    ------
    ScheduleError
        If the chips cannot be aligned.
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
        align=_align,
    )
    for run in stints.of(program):
        ledger.open(run)
        with _no_search_for_cycles():
            deskews = _execute(run, ledger, progress)
            ledger.close(deskews)
        stints.ended(deskews)
    return ledger.result()


def _align(descent: StartPropagation, crystals: Crystals, from_ps: int) -> Start:
    return Alignment(simpy.Environment(), descent, crystals).run(from_ps)


@contextmanager
def _no_search_for_cycles() -> Iterator[None]:
    """Pause Python's collector of reference cycles; a run frees all without it.

    It would look through all steps again and again, a quarter of a run's time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _execute(
    run: Segment, ledger: RunStatistics, progress: Callable[[int], None] | None
) -> DeskewLog:
    """Run all chips until the last iteration has ended; return their deskews."""
    program, machine, start = run.program, run.machine, run.start
    env = simpy.Environment()
    flights = _flights(run, ledger, progress)
    deskews = DeskewLog(run.topology.chips, len(program.deskews))
    links = {
        int(link): Link(
            env,
            vector_ps=run.vector_ps,
            jitter_ps=run.jitter_span_ps,
            fifo_vectors=machine.link.fifo_vectors,
        )
        for link in np.unique(program.trains.link)
    }
    for chip, steps in load_steps(program, run.layout, links).items():
        processor = Processor(
            env,
            chip=chip,
            clock=run.crystals.clocks.each[chip],
            counter=run.crystals.counters[chip],
            steps=steps,
            start_cycle=start.cycle[chip],
            start_count=start.count,
            period_cycles=program.period_cycles,
            epoch_cycles=machine.hac.epoch_cycles,
            stop_cycle=int(run.outages.stop_cycle[chip]),
            deskews=deskews,
        )
        env.process(processor.run(flights, run.periods, run.last_cycle))
    env.run()
    flights.close_all()
    return deskews


def _flights(
    run: Segment, ledger: RunStatistics, progress: Callable[[int], None] | None
) -> FlightLog:
    """Return the log of the iterations, which enters each that is over."""
    vectors = run.program.trains.vectors.tolist()

    def make(sequence: int, iteration: int) -> Flight:
        step_ps = [-1] * len(run.layout)
        executed = run.executed(sequence, iteration)
        if executed is not None:
            step_ps = np.where(executed, -1, NEVER).tolist()
        return Flight(
            sequence,
            iteration,
            latency_ps=run.latency_ps(sequence, iteration).tolist(),
            vectors=vectors,
            step_ps=step_ps,
        )

    def close(flight: Flight) -> None:
        ledger.add_flight(flight)
        if progress is not None:
            progress(len(ledger.iterations))

    return FlightLog(run.delivery.iterations, make, close)

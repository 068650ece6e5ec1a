"""The reference engine: SimPy processes execute the programs of all chips."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import simpy

from chip.program import Program
from fabric.flight import Flight, FlightLog
from fabric.ledger import Ledger
from fabric.link import Link
from fabric.loading import load_steps
from fabric.processor import Processor
from fabric.result import RunResult
from fabric.run import Run, assemble
from specs.machine import MachineSpec
from topologies.topology import Topology


def simulate(
    program: Program,
    topology: Topology,
    machine: MachineSpec,
    *,
    seed: int,
    tokens: int,
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
    keep
        Numbers of the iterations of which every time is kept.
    progress
        Called with the number of iterations finished, each time one is.

    Raises
    ------
    ScheduleError
        If the chips cannot be aligned.
    """
    run = assemble(program, topology, machine, seed=seed, tokens=tokens)
    ledger = Ledger(run, keep=keep)
    vectors = program.trains.vectors.tolist()

    def make(sequence: int, iteration: int) -> Flight:
        return Flight(
            sequence,
            iteration,
            latency_ps=run.latency_ps(sequence, iteration).tolist(),
            vectors=vectors,
            steps=len(run.layout),
        )

    def close(flight: Flight) -> None:
        ledger.close(flight)
        if progress is not None:
            progress(len(ledger.iterations))

    flights = FlightLog(run.delivery.iterations, make, close)
    with _no_search_for_cycles():
        processors = _execute(run, flights)
    flights.close_all()
    deskews = [record for processor in processors for record in processor.deskews]
    return ledger.result(np.array(deskews, dtype=np.int64).reshape(-1, 3))


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


def _execute(run: Run, flights: FlightLog) -> list[Processor]:
    """Run all chips until the last iteration has ended; return them."""
    program, machine, start = run.program, run.machine, run.start
    env = simpy.Environment()
    links = {
        int(link): Link(
            env,
            vector_ps=run.vector_ps,
            jitter_ps=run.jitter_span_ps,
            fifo_vectors=machine.link.fifo_vectors,
        )
        for link in np.unique(program.trains.link)
    }
    processors = []
    for chip, steps in load_steps(program, run.layout, links).items():
        processor = Processor(
            env,
            chip=chip,
            clock=run.crystals.clocks[chip],
            counter=run.crystals.counters[chip],
            steps=steps,
            start_cycle=start.cycle[chip],
            start_count=start.count,
            period_cycles=program.period_cycles,
            epoch_cycles=machine.hac.epoch_cycles,
        )
        env.process(processor.run(flights, run.periods, run.last_cycle))
        processors.append(processor)
    env.run()
    return processors

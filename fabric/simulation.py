"""The reference engine: SimPy processes execute the programs of all chips."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import simpy

from chip.program import Program
from fabric.alignment import Alignment, Start
from fabric.assembly import jitter_ps, least_latency_ps, make_crystals
from fabric.delivery import LinkErrors, plan_delivery
from fabric.draws import Draws, Stream
from fabric.flight import Flight, FlightLog
from fabric.ledger import Ledger, Run
from fabric.link import Link
from fabric.loading import lay_out, load_steps
from fabric.processor import Processor
from fabric.result import ChipTable, RunResult
from specs.machine import MachineSpec
from specs.units import BITS_PER_BYTE, PS_PER_NS
from topologies.topology import Topology
from topologies.tree import spanning_tree


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
    draws = Draws(seed)
    tree = spanning_tree(topology, program.leader)
    crystals = make_crystals(machine, tree, draws)
    errors = LinkErrors(machine, program, draws)
    delivery = plan_delivery(errors, program.sequences, tokens)
    layout = lay_out(program)
    run = Run(
        program=program,
        topology=topology,
        machine=machine,
        layout=layout,
        crystals=crystals,
        errors=errors,
        delivery=delivery,
    )
    ledger = Ledger(run, keep=keep)
    env = simpy.Environment()
    alignment = Alignment(
        env, machine, topology, tree=tree, crystals=crystals, draws=draws
    )
    start = alignment.run()

    least_ps = least_latency_ps(machine, topology)[program.trains.link]
    vectors = program.trains.vectors.tolist()

    def make(sequence: int, iteration: int) -> Flight:
        event = errors.event(sequence, iteration)
        jitter = jitter_ps(machine, draws.uniform(Stream.JITTER, errors.keys, event))
        return Flight(
            sequence,
            iteration,
            latency_ps=(least_ps + jitter).tolist(),
            vectors=vectors,
            steps=len(layout),
        )

    def close(flight: Flight) -> None:
        ledger.close(flight)
        if progress is not None:
            progress(len(ledger.iterations))

    flights = FlightLog(delivery.iterations, make, close)
    with _no_search_for_cycles():
        processors = _execute(env, run, flights, start)
    flights.close_all()
    return _result(run, ledger, processors, start, alignment.events)


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
    env: simpy.Environment, run: Run, flights: FlightLog, start: Start
) -> list[Processor]:
    """Run all chips until the last iteration has ended; return them."""
    program, machine = run.program, run.machine
    vector_ps = (
        machine.link.wire_bytes * BITS_PER_BYTE * PS_PER_NS // machine.link.rate_gbps
    )
    links = {
        int(link): Link(
            env,
            vector_ps=vector_ps,
            jitter_ps=machine.cycles_to_ps(machine.link.jitter_cycles),
            fifo_vectors=machine.link.fifo_vectors,
        )
        for link in np.unique(program.trains.link)
    }
    steps = load_steps(program, run.layout, links)
    last_cycle = 0
    for sequence, iterations in enumerate(run.delivery.iterations):
        end = (iterations - 1) * program.period_cycles + program.token_cycles
        last_cycle = max(last_cycle, end + sequence * program.interval_cycles)
    periods = last_cycle // program.period_cycles + 1
    processors = []
    for chip, own_steps in steps.items():
        processor = Processor(
            env,
            chip=chip,
            clock=run.crystals.clocks[chip],
            counter=run.crystals.counters[chip],
            steps=own_steps,
            start_cycle=start.cycle[chip],
            start_count=start.count,
            period_cycles=program.period_cycles,
            epoch_cycles=machine.hac.epoch_cycles,
        )
        env.process(processor.run(flights, periods, last_cycle))
        processors.append(processor)
    env.run()
    return processors


def _result(
    run: Run,
    ledger: Ledger,
    processors: list[Processor],
    start: Start,
    alignment_events: int,
) -> RunResult:
    deskews = np.array(
        [record for processor in processors for record in processor.deskews],
        dtype=np.int64,
    ).reshape(-1, 3)
    chips = run.topology.chips
    most_removed = np.zeros(chips, dtype=np.int64)
    np.maximum.at(most_removed, deskews[:, 0], np.abs(deskews[:, 2]))
    ledger.iterations.sort(key=lambda row: (row.iteration, row.sequence))
    delivered = {
        (row.sequence, row.token) for row in ledger.iterations if row.delivered
    }
    wanted = {(row.sequence, row.token) for row in ledger.iterations}
    steps = sum(processor.steps_done for processor in processors)
    trains = len(run.program.trains) * len(ledger.iterations)
    return RunResult(
        iterations=tuple(ledger.iterations),
        links=ledger.link_table(),
        chips=ChipTable(
            offset_ppm=np.array(run.crystals.offset_ppm),
            deskews=np.bincount(deskews[:, 0], minlength=chips),
            most_removed_cycles=most_removed,
        ),
        violations=tuple(ledger.violations),
        underflows=ledger.underflows,
        overflows=ledger.overflows,
        replays=run.delivery.replays,
        tokens_lost=len(wanted - delivered),
        alignment_epochs=start.epochs,
        alignment_ps=start.duration_ps,
        start_count=start.count,
        records=tuple(ledger.records),
        events=steps + len(deskews) + trains + alignment_events,
        trajectory_hash=ledger.trajectory_hash(deskews),
    )

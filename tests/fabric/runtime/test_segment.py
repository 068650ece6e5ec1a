from collections.abc import Callable
from dataclasses import replace

import numpy as np

from compiler.ir.schedule import Schedule
from fabric.faults.delivery import Attempt, Delivery
from fabric.links.latency import least_latency_ps
from fabric.results.iteration_log import NEVER
from fabric.runtime.segment import Segment
from specs.faults import ChipStops

Compile = Callable[..., Schedule]
MakeSegment = Callable[..., Segment]


def test_a_segment_lasts_until_its_last_token_ends(steady: Segment) -> None:
    program = steady.program
    assert steady.last_cycle == program.period_cycles + program.token_cycles
    assert steady.periods == steady.last_cycle // program.period_cycles + 1


def test_a_program_cycle_begins_by_the_crystal_of_the_leader(steady: Segment) -> None:
    start = steady.start.cycle[steady.program.leader]
    root = steady.crystals.root
    assert steady.scheduled_ps(1000) == root.edge_ps(start + 1000)


def test_only_without_drift_and_jitter_all_iterations_are_alike(
    steady: Segment, drifting: Segment
) -> None:
    assert (steady.steady, drifting.steady) == (True, False)


def test_without_jitter_a_train_takes_the_least_latency(steady: Segment) -> None:
    least_ps = least_latency_ps(steady.machine, steady.topology)
    expected = least_ps[steady.program.trains.link]
    assert np.array_equal(steady.latency_ps(0, 1), expected)


def test_jitter_is_drawn_anew_for_each_sequence_and_iteration(
    drifting: Segment,
) -> None:
    drawn = [
        drifting.latency_ps(sequence, iteration)
        for sequence in (0, 1)
        for iteration in (0, 1)
    ]
    jitter_ps = np.array(drawn) - drifting.least_latency_ps
    assert (jitter_ps >= 0).all()
    assert (jitter_ps <= drifting.jitter_span_ps).all()
    assert len({tuple(each) for each in jitter_ps.tolist()}) == 4
    again = drifting.latency_ps(1, 0)
    assert np.array_equal(again, drawn[2])


def test_a_stopped_chip_executes_no_more_steps(
    steady: Segment,
) -> None:
    stop = steady.outages.stop_cycle.copy()
    sender = int(steady.topology.source[steady.program.trains.link[0]])
    stop[sender] = 1500
    attempts = ((Attempt(token=0, attempt=0, lost=1, halted=(sender,)),),)
    segment = replace(
        steady,
        outages=replace(steady.outages, stop_cycle=stop),
        delivery=Delivery(attempts=attempts, failure=None, waiting=()),
    )
    executed = segment.executed(0, 0)
    assert executed is not None
    layout = steady.layout
    expected = (layout.chip != sender) | (layout.cycle < 1500)
    assert np.array_equal(executed, expected)
    assert len(np.unique(expected[layout.chip == sender])) == 2
    assert steady.executed(0, 0) is None


def test_a_train_of_a_stopped_chip_never_arrives(
    compiled: Compile, segment_of: MakeSegment
) -> None:
    stops = ChipStops(at_us=0.0, chip=1)
    segment = segment_of(compiled(2, 4), faults=[stops], tokens=1)
    source = segment.topology.source[segment.program.trains.link]
    lost = segment.latency_ps(0, 0) == NEVER
    assert np.array_equal(lost, source == 1)

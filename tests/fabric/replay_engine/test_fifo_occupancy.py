from dataclasses import replace

import numpy as np
import pytest

from fabric.replay_engine.fifo_occupancy import Occupancy, Timed
from fabric.results.iteration_log import NEVER
from fabric.runtime.segment import Segment

LATER_PS = 10**9


def timed_of(segment: Segment, waits_ps: int, iteration: int = 0) -> Timed:
    """Return an iteration whose first train waits so long, and the others not."""
    begin_ps = LATER_PS * (1 + iteration)
    step_ps = begin_ps + 10**4 * np.arange(len(segment.layout))
    arrival_ps = step_ps[segment.layout.take_step].copy()
    arrival_ps[0] -= waits_ps
    return Timed(0, iteration, step_ps, arrival_ps, {})


def full_wait_ps(segment: Segment) -> int:
    return segment.vector_ps * segment.machine.link.fifo_vectors


@pytest.mark.parametrize(("longer_ps", "suspicious"), [(-1, False), (0, True)])
def test_a_fifo_cannot_be_full_before_its_vectors_can_have_come(
    steady: Segment, longer_ps: int, *, suspicious: bool
) -> None:
    timed = timed_of(steady, full_wait_ps(steady) + longer_ps)
    assert Occupancy(steady).is_suspicious(timed) == suspicious


def test_an_iteration_is_settled_once_its_last_take_is_over(steady: Segment) -> None:
    occupancy = Occupancy(steady)
    first, second = timed_of(steady, 0), timed_of(steady, 0, iteration=1)
    occupancy.add(first)
    occupancy.add(second)
    last_take = int(first.step_ps[steady.layout.take_step].max())
    assert occupancy.settle(last_take) == []
    assert [each.iteration for each in occupancy.settle(last_take + 1)] == [0]
    assert [each.iteration for each in occupancy.settle(None)] == [1]


def test_a_train_of_more_vectors_than_places_overflows(steady: Segment) -> None:
    places, trains = steady.machine.link.fifo_vectors, steady.program.trains
    long = replace(trains, vectors=trains.vectors + places)
    segment = replace(steady, program=replace(steady.program, trains=long))
    occupancy = Occupancy(segment)
    occupancy.add(timed_of(segment, full_wait_ps(segment)))
    (settled,) = occupancy.settle(None)
    # In the time that it waits, as many as there are places come, and one.
    assert settled.overflows == {0: places + 1}


def test_a_lost_train_takes_no_place(steady: Segment) -> None:
    occupancy = Occupancy(steady)
    timed = timed_of(steady, full_wait_ps(steady))
    timed.arrival_ps[0] = NEVER
    assert not occupancy.is_suspicious(timed)
    occupancy.add(timed)
    (settled,) = occupancy.settle(None)
    assert settled.overflows == {}

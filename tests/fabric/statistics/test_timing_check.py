from dataclasses import replace

import numpy as np

from fabric.links.slack import UNLIMITED_PS
from fabric.results.iteration_log import NEVER
from fabric.runtime.segment import Segment
from fabric.statistics.timing_check import TimingCheck, TimingChecker
from specs.arrays import Ints


def times_of(segment: Segment) -> tuple[Ints, Ints]:
    """Return step times of a microsecond each, and arrivals 100 ps before the takes."""
    step_ps = 10**6 * (1 + np.arange(len(segment.layout)))
    return step_ps, step_ps[segment.layout.take_step] - 100


def check_of(segment: Segment, step_ps: Ints, arrival_ps: Ints) -> TimingCheck:
    return TimingChecker(segment).check(step_ps, arrival_ps, 0, 0)


def test_slack_is_the_time_from_arrival_to_take(steady: Segment) -> None:
    step_ps, arrival_ps = times_of(steady)
    arrival_ps[3] += 101
    check = check_of(steady, step_ps, arrival_ps)
    slack_ps = np.full(len(arrival_ps), 100)
    slack_ps[3] = -1
    assert np.array_equal(check.slack_ps, slack_ps)
    assert check.late.tolist() == [3]


def test_the_least_slack_of_each_link_is_that_of_its_trains(steady: Segment) -> None:
    step_ps, arrival_ps = times_of(steady)
    arrival_ps -= np.arange(len(arrival_ps))
    check = check_of(steady, step_ps, arrival_ps)
    link = steady.program.trains.link
    by_link = [check.slack_ps[link == each].min() for each in np.unique(link)]
    assert check.least_ps.tolist() == by_link


def test_a_token_begins_and_ends_at_its_marks(steady: Segment) -> None:
    step_ps, arrival_ps = times_of(steady)
    layout = steady.layout
    check = check_of(steady, step_ps, arrival_ps)
    marks = [step_ps[layout.begin_step], step_ps[layout.end_step]]
    assert [check.begin_ps, check.end_ps] == marks


def test_a_leader_that_has_stopped_leaves_the_scheduled_times(steady: Segment) -> None:
    step_ps, arrival_ps = times_of(steady)
    step_ps[[steady.layout.begin_step, steady.layout.end_step]] = NEVER
    check = check_of(steady, step_ps, arrival_ps)
    token_cycles = steady.program.token_cycles
    assert check.begin_ps == steady.scheduled_ps(0)
    assert check.end_ps == steady.scheduled_ps(token_cycles)


def test_a_train_that_never_arrives_is_not_late(steady: Segment) -> None:
    step_ps, arrival_ps = times_of(steady)
    arrival_ps[2] = NEVER
    check = check_of(steady, step_ps, arrival_ps)
    assert check.slack_ps[2] == UNLIMITED_PS
    assert not len(check.late)


def test_the_hash_is_of_times_from_the_begin_on(steady: Segment) -> None:
    step_ps, arrival_ps = times_of(steady)
    digest = check_of(steady, step_ps, arrival_ps).digest
    assert check_of(steady, step_ps + 77, arrival_ps + 77).digest == digest
    arrival_ps[1] += 1
    assert check_of(steady, step_ps, arrival_ps).digest != digest


def test_a_long_train_loses_slack_to_a_faster_receiver(drifting: Segment) -> None:
    trains, topology = drifting.program.trains, drifting.topology
    long = replace(trains, vectors=np.full(len(trains), 10_000, dtype=np.int32))
    segment = replace(drifting, program=replace(drifting.program, trains=long))
    hz = segment.crystals.clocks.frequency_hz
    assert hz is not None
    faster = hz[topology.target[trains.link]] > hz[topology.source[trains.link]]
    slack_ps = check_of(segment, *times_of(segment)).slack_ps
    assert (slack_ps[faster] < 100).all()
    assert (slack_ps[~faster] == 100).all()
    assert 0 < faster.sum() < len(trains)

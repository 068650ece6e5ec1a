import numpy as np
import pytest

from fabric.results.deskew_log import DeskewLog
from fabric.results.iteration_log import Flight
from fabric.runtime.segment import Segment
from fabric.statistics.run_statistics import RunStatistics
from specs.arrays import Ints


def deskews_of(segment: Segment) -> DeskewLog:
    return DeskewLog(segment.topology.chips, len(segment.program.deskews))


def times_of(segment: Segment, iteration: int) -> tuple[Ints, Ints]:
    step_ps = 10**6 * (1 + np.arange(len(segment.layout))) + 10**12 * iteration
    return step_ps, step_ps[segment.layout.take_step] - 100


def statistics_of(
    segment: Segment, keep: frozenset[int] = frozenset()
) -> RunStatistics:
    statistics = RunStatistics(segment.topology, tokens=2, keep=keep)
    statistics.open(segment)
    return statistics


def add(
    statistics: RunStatistics,
    segment: Segment,
    iteration: int,
    overflows: dict[int, int] | None = None,
    late_train: int | None = None,
) -> None:
    step_ps, arrival_ps = times_of(segment, iteration)
    if late_train is not None:
        arrival_ps[late_train] += 150
    check = statistics.checker.check(step_ps, arrival_ps, 0, iteration)
    statistics.add(0, iteration, check, overflows or {})
    statistics.record(0, iteration, step_ps, arrival_ps)


def test_a_result_has_a_row_for_each_iteration_in_order(steady: Segment) -> None:
    statistics = statistics_of(steady)
    for iteration in (1, 0):
        add(statistics, steady, iteration)
    statistics.close(deskews_of(steady))
    result = statistics.result()
    assert [row.iteration for row in result.iterations] == [0, 1]
    assert [row.token for row in result.iterations] == [0, 1]
    assert all(row.delivered for row in result.iterations)
    assert (result.missing, result.replays, result.violations) == ((), 0, ())


def test_the_hash_does_not_depend_on_the_order_of_adding(steady: Segment) -> None:
    hashes = []
    for order in ((0, 1), (1, 0)):
        statistics = statistics_of(steady)
        for iteration in order:
            add(statistics, steady, iteration)
        statistics.close(deskews_of(steady))
        hashes.append(statistics.result().trajectory_hash)
    assert hashes[0] == hashes[1]


@pytest.mark.parametrize(
    ("overflows", "late_train"), [({3: 20}, None), (None, 3)], ids=["full", "late"]
)
def test_a_token_with_a_violation_is_not_delivered(
    steady: Segment, overflows: dict[int, int] | None, late_train: int | None
) -> None:
    statistics = statistics_of(steady)
    add(statistics, steady, 0, overflows, late_train)
    add(statistics, steady, 1)
    statistics.close(deskews_of(steady))
    result = statistics.result()
    assert [row.delivered for row in result.iterations] == [False, True]
    assert (result.underflows, result.overflows) == (
        int(late_train is not None),
        int(overflows is not None),
    )
    assert [str(each) for each in result.missing] == [
        "token 0 of sequence 0 missing: vectors broke the schedule"
    ]


def test_times_are_recorded_of_the_iterations_asked_for(steady: Segment) -> None:
    statistics = statistics_of(steady, keep=frozenset({1}))
    assert [statistics.keeps(iteration) for iteration in (0, 1)] == [False, True]
    for iteration in (0, 1):
        add(statistics, steady, iteration)
    statistics.close(deskews_of(steady))
    (record,) = statistics.result().records
    step_ps, arrival_ps = times_of(steady, 1)
    issued = step_ps[steady.layout.step_of_instruction]
    assert (record.sequence, record.iteration) == (0, 1)
    assert np.array_equal(record.instruction_ps, issued)
    assert np.array_equal(record.arrival_ps, arrival_ps)


def test_a_flight_counts_as_its_times_do(steady: Segment) -> None:
    results = []
    for by_flight in (False, True):
        statistics = statistics_of(steady)
        for iteration in (0, 1):
            step_ps, arrival_ps = times_of(steady, iteration)
            if by_flight:
                flight = Flight(
                    0,
                    iteration,
                    latency_ps=[],
                    vectors=steady.program.trains.vectors.tolist(),
                    step_ps=step_ps.tolist(),
                )
                flight.arrival_ps = arrival_ps.tolist()
                statistics.add_flight(flight)
            else:
                add(statistics, steady, iteration)
        statistics.close(deskews_of(steady))
        results.append(statistics.result())
    assert results[0].iterations == results[1].iterations
    assert results[0].trajectory_hash == results[1].trajectory_hash


def test_deskews_are_added_up_by_chip(steady: Segment) -> None:
    statistics = statistics_of(steady)
    for iteration in (0, 1):
        add(statistics, steady, iteration)
    deskews = DeskewLog(steady.topology.chips, 2)
    deskews.add_period(0, np.array([[2, 100, -3], [2, 200, 1]]))
    statistics.close(deskews)
    result = statistics.result()
    assert result.chips.deskews.tolist() == [0, 0, 2, 0, 0, 0, 0, 0]
    assert result.chips.most_removed_cycles.tolist() == [0, 0, 3, 0, 0, 0, 0, 0]
    trains_and_steps = len(steady.program.trains) + len(steady.layout)
    assert result.events == 2 * trains_and_steps + 2 + steady.start.events

from dataclasses import dataclass

import pytest
import simpy
from hypothesis import given
from hypothesis import strategies as st
from simpy.events import ProcessGenerator

from fabric.clocks.clock import Clock
from fabric.clocks.hac import AlignedCounter
from fabric.results.deskew_log import DeskewLog
from fabric.results.iteration_log import NEVER, Flight, FlightLog
from fabric.simpy_engine.link import Link
from fabric.simpy_engine.processor import Processor, ProcessorStep

VECTOR_PS = 100


@pytest.fixture
def env() -> simpy.Environment:
    return simpy.Environment()


def round_link(env: simpy.Environment, *, fifo_vectors: int = 4) -> Link:
    return Link(env, vector_ps=VECTOR_PS, jitter_ps=0, fifo_vectors=fifo_vectors)


def flight_of(vectors: list[int], latency_ps: list[int]) -> Flight:
    return Flight(0, 0, latency_ps=latency_ps, vectors=vectors, step_ps=[])


def drive(
    env: simpy.Environment,
    link: Link,
    flight: Flight,
    *,
    sends: dict[int, int],
    takes: dict[int, int],
) -> None:
    """Send and take trains at their times, takes first in each instant."""

    def chip(times: dict[int, int], *, is_take: bool) -> ProcessGenerator:
        for train, at_ps in sorted(times.items(), key=lambda item: item[1]):
            yield env.timeout(at_ps - int(env.now))
            (link.take if is_take else link.send)(flight, train)

    env.process(chip(takes, is_take=True))
    env.process(chip(sends, is_take=False))
    env.run()


def test_a_train_arrives_its_latency_after_it_was_sent(env: simpy.Environment) -> None:
    flight = flight_of([1, 1], [1000, 2000])
    drive(env, round_link(env), flight, sends={0: 0, 1: 500}, takes={0: 1500, 1: 2600})
    assert flight.arrival_ps == [1000, 2500]
    assert (flight.underflows, flight.overflows) == ([], {})


def test_a_vector_that_arrives_at_the_edge_of_its_receive_is_there(
    env: simpy.Environment,
) -> None:
    flight = flight_of([1], [1000])
    drive(env, round_link(env), flight, sends={0: 0}, takes={0: 1000})
    assert flight.underflows == []


def test_a_vector_a_picosecond_late_is_missed(env: simpy.Environment) -> None:
    flight = flight_of([1], [1000])
    drive(env, round_link(env), flight, sends={0: 0}, takes={0: 999})
    assert flight.underflows == [0]


def test_a_vector_sent_after_its_receive_is_missed_too(env: simpy.Environment) -> None:
    flight = flight_of([1], [1000])
    drive(env, round_link(env), flight, sends={0: 700}, takes={0: 10})
    assert flight.underflows == [0]
    assert flight.arrival_ps == [1700]


def test_a_lost_train_never_arrives_and_breaks_no_schedule(
    env: simpy.Environment,
) -> None:
    flight = flight_of([1, 1], [NEVER, 1000])
    drive(env, round_link(env), flight, sends={0: 0, 1: 100}, takes={0: 1000, 1: 1200})
    assert flight.arrival_ps == [NEVER, 1100]
    assert (flight.underflows, flight.overflows) == ([], {})


def test_a_late_vector_is_dropped_and_not_taken_for_the_next(
    env: simpy.Environment,
) -> None:
    flight = flight_of([1, 1], [1000, 1000])
    link = round_link(env, fifo_vectors=1)
    drive(env, link, flight, sends={0: 0, 1: 100}, takes={0: 900, 1: 1150})
    assert flight.underflows == [0]
    assert flight.overflows == {}


def test_jitter_may_let_a_vector_be_overtaken(env: simpy.Environment) -> None:
    flight = flight_of([1, 1], [1000, 700])
    drive(env, round_link(env), flight, sends={0: 0, 1: 100}, takes={0: 1200, 1: 1300})
    assert flight.underflows == []


def test_more_vectors_than_places_overflow_and_say_how_many(
    env: simpy.Environment,
) -> None:
    flight = flight_of([9], [1000])
    # Of nine vectors, those at 1000, 1100, 1200, 1300 and 1400 are there.
    drive(env, round_link(env), flight, sends={0: 0}, takes={0: 1450})
    assert flight.overflows == {0: 5}


def test_the_train_that_finds_the_fifo_full_overflows_not_the_one_in_it(
    env: simpy.Environment,
) -> None:
    flight = flight_of([2, 2, 2], [1000] * 3)
    drive(
        env,
        round_link(env),
        flight,
        sends={0: 0, 1: 200, 2: 400},
        takes={0: 1600, 1: 1800, 2: 2000},
    )
    # Four places hold the first two trains.
    assert flight.overflows == {2: 6}


def test_a_full_fifo_is_no_overflow(env: simpy.Environment) -> None:
    flight = flight_of([9], [1000])
    drive(env, round_link(env), flight, sends={0: 0}, takes={0: 1399})
    assert flight.overflows == {}


@dataclass
class Traffic:
    """Trains of a link back to back or with gaps, taken after a while."""

    vectors: list[int]
    arrival_ps: list[int]
    take_ps: list[int]


@st.composite
def traffic(draw: st.DrawFn) -> Traffic:
    count = draw(st.integers(1, 6))
    vectors = draw(st.lists(st.integers(1, 8), min_size=count, max_size=count))
    arrival_ps, take_ps = [], []
    arrived, taken = 1000, 0
    for size in vectors:
        arrived += draw(st.integers(0, 300))
        taken = max(taken, arrived + draw(st.integers(0, 900)))
        arrival_ps.append(arrived)
        take_ps.append(taken)
        arrived += size * VECTOR_PS
        taken += size * VECTOR_PS
    return Traffic(vectors, arrival_ps, take_ps)


def most_waiting(trains: Traffic) -> int:
    """Count the FIFO's vectors one by one, each time that one arrives."""
    vectors = [
        (arrival + i * VECTOR_PS, take + i * VECTOR_PS)
        for size, arrival, take in zip(
            trains.vectors, trains.arrival_ps, trains.take_ps, strict=True
        )
        for i in range(size)
    ]
    return max(
        sum(arrival <= now <= take for arrival, take in vectors) for now, _ in vectors
    )


@given(trains=traffic(), fifo_vectors=st.integers(1, 12))
def test_a_fifo_counted_by_train_overflows_when_counted_by_vector_it_does(
    trains: Traffic, fifo_vectors: int
) -> None:
    env = simpy.Environment()
    numbers = range(len(trains.vectors))
    flight = flight_of(trains.vectors, [500] * len(trains.vectors))
    drive(
        env,
        round_link(env, fifo_vectors=fifo_vectors),
        flight,
        sends={n: trains.arrival_ps[n] - 500 for n in numbers},
        takes={n: trains.take_ps[n] for n in numbers},
    )
    assert flight.underflows == []
    most = most_waiting(trains)
    assert bool(flight.overflows) == (most > fifo_vectors)
    assert max(flight.overflows.values(), default=most) == most


def test_time_is_a_whole_number_of_picoseconds_to_the_end() -> None:
    env = simpy.Environment()
    link = round_link(env)
    clock = Clock.with_offset(900_000_000, 12.5)
    # A train each 1000 cycles, taken 300 cycles later; one deskew in between.
    steps = {
        0: [ProcessorStep(0, 0, 0, 0, ((link, 0),), ())],
        1: [
            ProcessorStep(0, 0, -1, -1, (), ()),
            ProcessorStep(300, 0, 0, 1, (), ((link, 0),)),
        ],
    }
    closed: list[Flight] = []

    def make(sequence: int, iteration: int) -> Flight:
        return Flight(
            sequence,
            iteration,
            latency_ps=[250_000],
            vectors=[1],
            step_ps=[-1, -1],
        )

    flights = FlightLog((5,), make, closed.append)
    deskews = DeskewLog(chips=2, in_period=1)
    chips = [
        Processor(
            env,
            chip=chip,
            clock=clock,
            counter=AlignedCounter(root=clock, error_counts=chip),
            steps=own,
            start_cycle=7,
            start_count=7,
            period_cycles=1000,
            epoch_cycles=252,
            stop_cycle=10**6,
            deskews=deskews,
        )
        for chip, own in steps.items()
    ]
    for chip in chips:
        env.process(chip.run(flights, 5, 4300))
    env.run()
    flights.close_all()
    assert type(env.now) is int
    assert [flight.iteration for flight in closed] == [0, 1, 2, 3, 4]
    assert [flight.step_ps[0] for flight in closed] == [
        clock.edge_ps(7 + 1000 * k) for k in range(5)
    ]
    # The counter runs one ahead: the first deskew follows it, the others find it so.
    assert deskews.count.tolist() == [0, 5]
    assert deskews.most_removed.tolist() == [0, 1]
    assert closed[0].step_ps[1] == clock.edge_ps(7 + 300 - 1)
    kinds = {type(time) for f in closed for time in f.step_ps + f.arrival_ps}
    assert kinds == {int}

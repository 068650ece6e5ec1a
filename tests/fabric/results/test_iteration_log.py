from hypothesis import given
from hypothesis import strategies as st

from fabric.results.iteration_log import Flight, FlightLog


def make(sequence: int, iteration: int) -> Flight:
    return Flight(sequence, iteration, latency_ps=[], vectors=[], step_ps=[-1, -1])


@given(lengths=st.lists(st.integers(0, 6), min_size=1, max_size=3))
def test_each_iteration_is_closed_once_and_only_when_it_is_complete(
    lengths: list[int],
) -> None:
    closed: list[tuple[int, int]] = []

    def close(flight: Flight) -> None:
        assert flight.complete
        closed.append((flight.sequence, flight.iteration))

    log = FlightLog(tuple(lengths), make, close)
    # Two chips go through all iterations, one of them far behind the other.
    for chip in range(2):
        for iteration in range(max(lengths) + 1):
            for sequence in range(len(lengths)):
                flight = log.of(sequence, iteration)
                assert (flight is None) == (iteration >= lengths[sequence])
                if flight is not None:
                    flight.step_ps[chip] = 0
    log.close_all()
    wanted = [(s, i) for s, length in enumerate(lengths) for i in range(length)]
    assert sorted(closed) == wanted


def test_there_is_no_iteration_before_the_first() -> None:
    assert FlightLog((3,), make, lambda _: None).of(0, -1) is None


def test_a_long_run_keeps_few_iterations_open() -> None:
    closed: list[int] = []
    log = FlightLog((1000,), make, lambda flight: closed.append(flight.iteration))
    for iteration in range(1000):
        flight = log.of(0, iteration)
        assert flight is not None
        flight.step_ps[:] = [0, 0]
        assert iteration - len(closed) <= 2
    log.close_all()
    assert closed == list(range(1000))

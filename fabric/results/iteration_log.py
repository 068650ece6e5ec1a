"""Log of iterations in flight, with the draws and the recorded times of each."""

from collections.abc import Callable
from typing import final

NEVER = -2
"""Time of a step that is not executed, and latency and arrival of a lost train."""


@final
class Flight:
    """Record of one iteration of one sequence while chips execute it.

    It has lists of integers, indexed by step or train: the event loop writes a list in
    a third of the time that it takes to write a NumPy array.

    Parameters
    ----------
    sequence, iteration
        Number of the sequence, and of its iteration.
    latency_ps
        Latency drawn for each train, `NEVER` if it is lost.
    vectors
        Vectors of each train.
    step_ps
        For each step of all chips -1, or `NEVER` if it is not executed.

    Attributes
    ----------
    step_ps, arrival_ps
        Global time of each step, -1 until it is known, and of each train's arrival.
    underflows
        Trains that had not arrived when they should be taken.
    overflows
        Trains that found the FIFO full, and vectors that it would have had to hold.
    """

    __slots__ = (
        "arrival_ps",
        "iteration",
        "latency_ps",
        "overflows",
        "sequence",
        "step_ps",
        "underflows",
        "vectors",
    )

    def __init__(
        self,
        sequence: int,
        iteration: int,
        *,
        latency_ps: list[int],
        vectors: list[int],
        step_ps: list[int],
    ) -> None:
        self.sequence = sequence
        self.iteration = iteration
        self.latency_ps = latency_ps
        self.vectors = vectors
        self.step_ps = step_ps
        self.arrival_ps = [NEVER] * len(vectors)
        self.underflows: list[int] = []
        self.overflows: dict[int, int] = {}

    @property
    def complete(self) -> bool:
        """Return whether every step that will be executed has been executed."""
        return -1 not in self.step_ps


@final
class FlightLog:
    """Records of the iterations of all sequences, each opened by its first step.

    An iteration is closed once it is complete, so that few are open at once. Chips that
    never deskew may drift apart by a token and more.

    Parameters
    ----------
    iterations
        Number of iterations of each sequence.
    make
        Function that returns a new record for a sequence and an iteration.
    close
        Function that takes a complete record.
    """

    def __init__(
        self,
        iterations: tuple[int, ...],
        make: Callable[[int, int], Flight],
        close: Callable[[Flight], None],
    ) -> None:
        self._make = make
        self._close = close
        self._iterations = iterations
        self._open: list[dict[int, Flight]] = [{} for _ in iterations]
        self._made = [0] * len(iterations)

    def of(self, sequence: int, iteration: int) -> Flight | None:
        """Return the record of an iteration, None if there is no such iteration."""
        flight = self._open[sequence].get(iteration)
        if flight is None and 0 <= iteration < self._iterations[sequence]:
            # Earlier iterations are checked for completeness once, two tokens later.
            self._close_before(sequence, iteration - 1)
            flight = self._opened(sequence, iteration)
        return flight

    def close_all(self) -> None:
        """Close all iterations, at the end of the segment."""
        for sequence, iterations in enumerate(self._iterations):
            for iteration in range(self._made[sequence], iterations):
                # No chip has reached this iteration: all have stopped before.
                self._opened(sequence, iteration)
            self._close_before(sequence, iterations)
            assert not self._open[sequence], "a chip has left out a step"

    def _opened(self, sequence: int, iteration: int) -> Flight:
        """Return a new record, which is now open."""
        flight = self._make(sequence, iteration)
        self._open[sequence][iteration] = flight
        self._made[sequence] = iteration + 1
        return flight

    def _close_before(self, sequence: int, end: int) -> None:
        """Close the complete iterations before `end`."""
        open_flights = self._open[sequence]
        for iteration in [i for i in open_flights if i < end]:
            if open_flights[iteration].complete:
                self._close(open_flights.pop(iteration))

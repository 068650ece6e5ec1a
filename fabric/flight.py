"""Iterations in flight: what was drawn for each and what is recorded of it."""

from collections.abc import Callable
from typing import final


@final
class Flight:
    """The record of one token of one sequence while chips work on it.

    Lists of whole numbers, indexed by step or train: the event loop writes a list in a
    third of the time that it takes to write a NumPy array.

    Parameters
    ----------
    sequence, iteration
        Which token this is: iteration of which sequence in flight.
    latency_ps
        Latency drawn for each train.
    vectors
        Vectors of each train.
    steps
        Number of steps of all chips together.

    Attributes
    ----------
    step_ps, arrival_ps
        Global time of each step, and of each train's arrival; -1 until it is known.
    underflows
        Trains that were not there when they should be taken.
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
        steps: int,
    ) -> None:
        self.sequence = sequence
        self.iteration = iteration
        self.latency_ps = latency_ps
        self.vectors = vectors
        self.step_ps = [-1] * steps
        self.arrival_ps = [-1] * len(vectors)
        self.underflows: list[int] = []
        self.overflows: dict[int, int] = {}

    @property
    def complete(self) -> bool:
        """Return whether every chip has done all its steps of this token."""
        return -1 not in self.step_ps


@final
class FlightLog:
    """The iterations of all sequences, each opened when a chip first works on it.

    An iteration is closed when no chip works on it any more, so that few are open at
    once. Chips that never deskew may drift a token apart and further.

    Parameters
    ----------
    iterations
        Number of iterations of each sequence.
    make
        Returns a new record for a sequence and an iteration.
    close
        Takes a record that is complete.
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

    def of(self, sequence: int, iteration: int) -> Flight | None:
        """Return the record of an iteration, None if there is no such iteration."""
        flight = self._open[sequence].get(iteration)
        if flight is None and 0 <= iteration < self._iterations[sequence]:
            # Two tokens on, what should be complete is worth a look.
            self._close_before(sequence, iteration - 1)
            flight = self._make(sequence, iteration)
            self._open[sequence][iteration] = flight
        return flight

    def close_all(self) -> None:
        """Close what is still open, once no chip works any more."""
        for sequence, iterations in enumerate(self._iterations):
            self._close_before(sequence, iterations)
            assert not self._open[sequence], "a chip has left out a step"

    def _close_before(self, sequence: int, end: int) -> None:
        open_flights = self._open[sequence]
        for iteration in [i for i in open_flights if i < end]:
            if open_flights[iteration].complete:
                self._close(open_flights.pop(iteration))

"""Link: one direction of a chip-to-chip link, and the receive FIFO at its end.

A vector is *sent* when its first bit enters the wire, *arrived* when it is decoded in
the receive FIFO, and *taken* when a RECEIVE removes it. There is no retry, no back
pressure and no arbitration. A vector that has not arrived when it should be taken, or
that finds the FIFO full, is a violation of the schedule.
"""

from collections import deque
from typing import final

import simpy
from simpy.events import Event, Timeout

from fabric.results.iteration_log import NEVER, Flight


@final
class Link:
    """Wire with a latency and a receive FIFO; one event for each train.

    Vectors of a train follow each other at the line rate on both sides, so the train's
    first vector represents all; `fabric.links.slack` computes the others exactly.

    Parameters
    ----------
    env
        SimPy environment.
    vector_ps
        Serialisation time of a vector, in ps.
    jitter_ps
        Largest time by which a train may catch up with the one before it, in ps.
    fifo_vectors
        Capacity of the receive FIFO.
    """

    def __init__(
        self,
        env: simpy.Environment,
        *,
        vector_ps: int,
        jitter_ps: int,
        fifo_vectors: int,
    ) -> None:
        self._env = env
        self._vector_ps = vector_ps
        self._fifo_vectors = fifo_vectors
        # More vectors than the capacity cannot arrive in less time than this, so the
        # FIFO is counted only for a train that has waited this long.
        self._full_wait_ps = vector_ps * fifo_vectors - jitter_ps
        self._waiting: deque[tuple[Flight, int]] = deque()
        self._missed: set[tuple[int, int]] = set()

    def send(self, flight: Flight, train: int) -> None:
        """Put a train on the wire now; it arrives after its latency, or is lost."""
        env, delay_ps = self._env, flight.latency_ps[train]
        if delay_ps == NEVER:
            return
        # Time is an int throughout; SimPy's types do not say so.
        flight.arrival_ps[train] = env.now + delay_ps  # type: ignore[assignment]
        event = Timeout(env, delay_ps, (flight, train))
        event.callbacks.append(self._arrive)

    def take(self, flight: Flight, train: int) -> None:
        """Take a train out of the FIFO now, or record an underflow.

        A lost train is a fault and no violation of the schedule.
        """
        if flight.latency_ps[train] == NEVER:
            return
        waiting = self._waiting
        if waiting and waiting[0][1] == train and waiting[0][0] is flight:
            if self._env.now - flight.arrival_ps[train] >= self._full_wait_ps:
                self._count_waiting()
            waiting.popleft()
            return
        if (flight, train) in waiting:
            # Jitter has reordered trains. A RECEIVE names its train, not its place.
            self._count_waiting()
            waiting.remove((flight, train))
            return
        # SimPy orders events of one instant by the order of scheduling, but a vector
        # that arrives at the very edge of its RECEIVE is in time.
        if flight.arrival_ps[train] != self._env.now:
            flight.underflows.append(train)
        self._missed.add((id(flight), train))

    def _arrive(self, event: Event) -> None:
        """Put a train into the FIFO."""
        arrived: tuple[Flight, int] = event.value  # type: ignore[assignment]
        flight, train = arrived
        if self._missed and (id(flight), train) in self._missed:
            # Its RECEIVE has passed, so it is never taken.
            self._missed.remove((id(flight), train))
            return
        self._waiting.append(arrived)

    def _count_waiting(self) -> None:
        """Record the trains whose vectors have found the FIFO full.

        They are counted when a train's first vector is taken: from then on vectors
        leave as fast as they can arrive. Where jitter lets a train catch up with the
        one before it, the count may miss the vectors serialised during the jitter.
        """
        now, vectors = int(self._env.now), 0
        for flight, train in self._waiting:
            if flight.arrival_ps[train] == now:
                # The order of events of one instant must not matter.
                continue
            come = (now - flight.arrival_ps[train]) // self._vector_ps + 1
            vectors += min(flight.vectors[train], come)
            if vectors > self._fifo_vectors:
                known = flight.overflows.get(train, 0)
                flight.overflows[train] = max(known, vectors)

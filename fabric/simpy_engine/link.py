"""One direction of a chip-to-chip link, and the receive FIFO at its end.

A vector is *sent* when its first bit enters the wire, *arrived* when it lies decoded in
the receive FIFO, and *taken* when a RECEIVE moves it on. There is no retry, no back
pressure and no arbitration: a vector that is not there when it should be taken, or that
finds the FIFO full, is a violation of the schedule.
"""

from collections import deque
from typing import final

import simpy
from simpy.events import Event, Timeout

from fabric.results.iteration_log import NEVER, Flight


@final
class Link:
    """A wire that delays and a FIFO that waits; one event for each train.

    Vectors of a train follow each other at the line rate on both sides, so the train's
    first vector stands for all: `fabric.results.slack` works out the others exactly.

    Parameters
    ----------
    env
        The simulation.
    vector_ps
        Time of a vector on the wire, in ps.
    jitter_ps
        By how much a train may catch up with the one before it, in ps.
    fifo_vectors
        Places in the receive FIFO.
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
        # More vectors than places cannot have come in less time than this, so only a
        # train that has waited so long is worth counting.
        self._suspicious_ps = vector_ps * fifo_vectors - jitter_ps
        self._waiting: deque[tuple[Flight, int]] = deque()
        self._gone: set[tuple[int, int]] = set()

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
        """Take a train out of the FIFO now, or note that it is not there.

        One that is lost is no violation of the schedule, but a fault.
        """
        if flight.latency_ps[train] == NEVER:
            return
        waiting = self._waiting
        if waiting and waiting[0][1] == train and waiting[0][0] is flight:
            if self._env.now - flight.arrival_ps[train] >= self._suspicious_ps:
                self._count_waiting()
            waiting.popleft()
            return
        if (flight, train) in waiting:
            # Jitter has let it be overtaken. A RECEIVE names its train, not its place.
            self._count_waiting()
            waiting.remove((flight, train))
            return
        # SimPy orders events of one instant by when they were scheduled, but a vector
        # that arrives at the very edge of its RECEIVE is there.
        if flight.arrival_ps[train] != self._env.now:
            flight.underflows.append(train)
        self._gone.add((id(flight), train))

    def _arrive(self, event: Event) -> None:
        arrived: tuple[Flight, int] = event.value  # type: ignore[assignment]
        flight, train = arrived
        if self._gone and (id(flight), train) in self._gone:
            # Its RECEIVE has been: nobody will take it any more.
            self._gone.remove((id(flight), train))
            return
        self._waiting.append(arrived)

    def _count_waiting(self) -> None:
        """Note the trains whose vectors have found the FIFO full.

        Counted when a train's first vector is taken: from then on vectors leave as fast
        as they can come. Where jitter lets a train catch up with the one it follows,
        the number may be short by the vectors that take as long as the jitter.
        """
        now, vectors = int(self._env.now), 0
        for flight, train in self._waiting:
            if flight.arrival_ps[train] == now:
                # Events of one instant have no order that counts.
                continue
            come = (now - flight.arrival_ps[train]) // self._vector_ps + 1
            vectors += min(flight.vectors[train], come)
            if vectors > self._fifo_vectors:
                known = flight.overflows.get(train, 0)
                flight.overflows[train] = max(known, vectors)

"""Occupancy of the receive FIFOs, computed from the times of whole iterations."""

from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from fabric.results.iteration_log import NEVER
from fabric.runtime.segment import Segment
from specs.arrays import Ints

_NEVER_PS = 2**62


class Timed(NamedTuple):
    """Times of an iteration.

    Attributes
    ----------
    sequence, iteration
        Number of the sequence, and of the iteration within the segment.
    step_ps, arrival_ps
        Global time of each step, and of each train's arrival.
    overflows
        Trains that found the FIFO full, and vectors that it had to hold.
    """

    sequence: int
    iteration: int
    step_ps: Ints
    arrival_ps: Ints
    overflows: dict[int, int]


@final
class Occupancy:
    """Occupancy of each FIFO, also across iterations that share it.

    The vectors in a FIFO are counted whenever a train's first vector is taken.
    Iterations are settled in rounds. A round is counted up to a horizon, the first step
    of the next round, since no later train can be sent before it.

    Parameters
    ----------
    segment
        Segment that is replayed.
    """

    def __init__(self, segment: Segment) -> None:
        self._segment = segment
        self._open: list[Timed] = []
        self._counted_ps = -1
        depth = segment.machine.link.fifo_vectors
        self._vector_ps = segment.vector_ps
        # As in `fabric.simpy_engine.link`: below this wait a FIFO cannot be full.
        self._full_wait_ps = self._vector_ps * depth - segment.jitter_span_ps

    def add(self, timed: Timed) -> None:
        """Add an iteration."""
        self._open.append(timed)

    def settle(self, horizon_ps: int | None) -> list[Timed]:
        """Return the iterations that end before `horizon_ps`, all of them if None.

        Parameters
        ----------
        horizon_ps
            Time before which every train that will ever be sent has been added.
        """
        if horizon_ps is None:
            horizon_ps = 2**63 - 1
        taken = [self._taken(timed) for timed in self._open]
        self._count(taken, horizon_ps)
        self._counted_ps = horizon_ps
        over = [
            int(take.max(initial=0, where=take < _NEVER_PS)) < horizon_ps
            for take in taken
        ]
        settled = [timed for timed, done in zip(self._open, over, strict=True) if done]
        self._open = [
            timed for timed, done in zip(self._open, over, strict=True) if not done
        ]
        return settled

    def _count(self, taken: list[Ints], horizon_ps: int) -> None:
        """Count the vectors at every take from the last horizon to this one."""
        trains = self._segment.program.trains
        long = [
            self._waits_long(timed, take)
            for take, timed in zip(taken, self._open, strict=True)
        ]
        if not any(rows.any() for rows in long):
            return
        links = np.unique(np.concatenate([trains.link[rows] for rows in long]))
        for link in links:
            rows = np.flatnonzero(trains.link == link)
            self._count_link(rows, taken, horizon_ps)

    def is_suspicious(self, timed: Timed) -> bool:
        """Return whether any train of an iteration waits long enough to be counted."""
        return bool(self._waits_long(timed, self._taken(timed)).any())

    def _taken(self, timed: Timed) -> Ints:
        """Return the time each train is taken, beyond all others if it is not."""
        take_ps = timed.step_ps[self._segment.layout.take_step]
        return np.where(take_ps == NEVER, _NEVER_PS, take_ps)

    def _waits_long(self, timed: Timed, take_ps: Ints) -> NDArray[np.bool_]:
        """Return which trains wait long enough for the FIFO to be full."""
        arrives = (timed.arrival_ps != NEVER) & (take_ps < _NEVER_PS)
        waits_ps = take_ps - timed.arrival_ps
        long: NDArray[np.bool_] = arrives & (waits_ps >= self._full_wait_ps)
        return long

    def _count_link(self, rows: Ints, taken: list[Ints], horizon_ps: int) -> None:
        """Count the vectors of one link's FIFO and note its overflows."""
        vectors = np.tile(self._segment.program.trains.vectors[rows], len(taken))
        arrival = np.concatenate([timed.arrival_ps[rows] for timed in self._open])
        # A lost train is never in the FIFO.
        arrival[arrival == NEVER] = _NEVER_PS
        take = np.concatenate([times[rows] for times in taken])
        order = np.argsort(arrival, kind="stable")
        depth = self._segment.machine.link.fifo_vectors
        for now in np.sort(take[(take >= self._counted_ps) & (take < horizon_ps)]):
            here = order[(arrival[order] < now) & (take[order] >= now)]
            come = (now - arrival[here]) // self._vector_ps + 1
            held = np.cumsum(np.minimum(vectors[here], come))
            for place in np.flatnonzero(held > depth):
                flight, row = divmod(int(here[place]), len(rows))
                overflows = self._open[flight].overflows
                train = int(rows[row])
                overflows[train] = max(overflows.get(train, 0), int(held[place]))

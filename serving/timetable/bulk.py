"""Bulk timetable: many independent requests at once, block after block."""

from typing import final

import numpy as np
from numpy.typing import NDArray

from serving.fleet.fleet import Fleet, Router
from serving.frame import Policy, frame_times
from serving.requests.request_table import Outcome, RequestTable
from serving.results.served import Served
from serving.timetable.admission import SlotAdmission, WindowAdmission
from specs.arrays import Ints


def ready_cycles(fleet: Fleet, requests: RequestTable) -> Ints:
    """Return when the prompt of each request reaches the chips, shape ``(requests,)``.

    Calls that take longer do not let later ones pass.
    """
    here_ps = requests.arrival_ps + fleet.times.hosts_in_ps(requests.prompt_tokens)
    cycles: Ints = fleet.times.cycle_time.first_cycle(here_ps)
    return np.maximum.accumulate(cycles)


@final
class BulkReplicas:
    """Replicas of a fleet on which a request's replica follows from the request alone.

    Its memory is that of one block of requests, however many blocks there are.

    Parameters
    ----------
    fleet
        The fleet: frames on a fixed grid, without limits, cache and outages.
    """

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._times = frame_times(fleet.times, fleet.frame)
        own_slot = fleet.frame.policy is Policy.SLOTS
        made = SlotAdmission if own_slot else WindowAdmission
        self._admissions = [made(self._times) for _ in range(fleet.replicas)]
        self._dispatched = self._last_ready = 0

    def serve(self, requests: RequestTable) -> Served:
        """Return what becomes of the next requests, in order of arrival."""
        fleet, served = self._fleet, Served.empty(requests.arrival_ps)
        ready = np.maximum(ready_cycles(fleet, requests), self._last_ready)
        if len(ready):
            self._last_ready = int(ready[-1])
        lengths = requests.prompt_tokens + requests.output_tokens
        fits = lengths <= fleet.frame.context_tokens
        served.outcome[:] = np.where(fits, Outcome.COMPLETED, Outcome.TOO_LONG)
        served.replica[:] = np.where(fits, self._replicas(requests, fits), -1)
        served.cached_tokens[fits] = served.restored_tokens[fits] = 0
        served.ready_cycle[fits] = ready[fits]
        chunks = -(-requests.prompt_tokens // fleet.frame.chunk_tokens)
        for number, admission in enumerate(self._admissions):
            own = np.flatnonzero(served.replica == number)
            rows = admission.rows(
                zip(
                    ready[own].tolist(),
                    chunks[own].tolist(),
                    requests.turns[own].tolist(),
                    strict=True,
                )
            )
            self._write(served, own, np.array(rows, dtype=np.int64), requests.turns)
        return served

    def _replicas(self, requests: RequestTable, fits: NDArray[np.bool_]) -> Ints:
        """Return the replica of each request, by the router."""
        fleet, count = self._fleet, self._fleet.replicas
        if fleet.router is Router.BY_CLASS:
            return requests.kind % count
        if fleet.router is Router.BY_CONTEXT:
            lengths = requests.prompt_tokens + requests.output_tokens
            ends = fleet.times.context_tokens
            buckets: Ints = np.searchsorted(ends, lengths) * count // len(ends)
            return buckets
        turns = self._dispatched + np.cumsum(fits) - fits
        self._dispatched += int(fits.sum())
        return turns % count

    def _write(self, served: Served, own: Ints, rows: Ints, turns: Ints) -> None:
        """Write where the requests of a replica are on its timetable."""
        if not len(own):
            return
        slot, admitted, chosen, turn, _ = rows.T
        second = turn + self._times.token_cycles
        last = second + (turns[own] - 1) * self._times.frame_cycles
        served.slot[own] = slot
        served.admitted_cycle[own] = admitted
        served.chosen_cycle[own] = chosen
        served.second_cycle[own] = np.where(turns[own] > 0, second, chosen)
        served.end_cycle[own] = np.where(turns[own] > 0, last, chosen)

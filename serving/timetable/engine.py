"""Engine: requests on the timetables of a fleet, in order of arrival."""

from heapq import heappop, heappush
from typing import final

from serving.fleet.dispatcher import Dispatcher
from serving.fleet.fleet import Fleet, Router
from serving.frame import Policy
from serving.requests.request_table import Outcome, RequestTable, Tier
from serving.results.served import Served
from serving.timetable.admission import Work
from serving.timetable.boundary_replica import BoundaryReplica
from serving.timetable.bulk import BulkReplicas
from serving.timetable.grid_replica import GridReplica
from specs.errors import SpecError
from specs.units import ceil_div


def _independent(fleet: Fleet, requests: RequestTable) -> bool:
    """Return whether it follows from a request alone which replica serves it."""
    policies = {Policy.WINDOWS, Policy.SLOTS}
    return (
        fleet.frame.policy in policies
        and fleet.router is not Router.LEAST_QUEUE
        and not (fleet.in_flight or fleet.limits or fleet.cache or fleet.outages)
        and not (fleet.router is Router.PREFIX and requests.blocks)
        and not (requests.tier == Tier.FLEX).any()
    )


def serve(fleet: Fleet, requests: RequestTable, *, max_concurrency: int = 0) -> Served:
    """Return what becomes of requests, by timetable.

    Parameters
    ----------
    fleet
        Replicas, their frames, and what decides where requests go.
    requests
        What users ask for.
    max_concurrency
        Requests that users have under way at a time; later ones wait with them. 0 for
        any number.

    Raises
    ------
    SpecError
        If users wait for answers whose end is not known when they are admitted.
    """
    if max_concurrency and fleet.at_boundaries:
        raise SpecError(
            "users who wait for their answers need ends that are known at admission; "
            "use --engine simpy, or policy = windows or slots without in_flight"
        )
    if not max_concurrency and _independent(fleet, requests):
        return BulkReplicas(fleet).serve(requests)
    return _Serving(fleet, requests, max_concurrency).served()


@final
class _Serving:
    """Requests that are placed one after another."""

    def __init__(
        self, fleet: Fleet, requests: RequestTable, max_concurrency: int
    ) -> None:
        self._fleet, self._requests = fleet, requests
        self._served = Served.empty(requests.arrival_ps)
        made = BoundaryReplica if fleet.at_boundaries else GridReplica
        self._replicas = [
            made(fleet, number, self._served) for number in range(fleet.replicas)
        ]
        self._dispatcher = Dispatcher(fleet, requests)
        self._most = max_concurrency
        self._ends_ps: list[int] = []

    def served(self) -> Served:
        """Return what becomes of all requests."""
        times = self._fleet.times
        arrivals = self._requests.arrival_ps.tolist()
        prompts = self._requests.prompt_tokens.tolist()
        arrived_ps = ready = 0
        for request, planned_ps in enumerate(arrivals):
            arrived_ps = max(arrived_ps, planned_ps)
            if self._most and len(self._ends_ps) == self._most:
                arrived_ps = max(arrived_ps, heappop(self._ends_ps))
            self._served.arrival_ps[request] = arrived_ps
            here_ps = arrived_ps + times.host_in_ps(prompts[request])
            ready = max(ready, times.cycle_time.first_cycle(here_ps))
            self._place(request, ready)
        for replica in self._replicas:
            replica.finish()
        return self._served

    def _place(self, request: int, ready: int) -> None:
        """Place a request that is on the hosts, or refuse it."""
        replicas, served, times = self._replicas, self._served, self._fleet.times
        for replica in replicas:
            replica.advance(ready)
            if isinstance(replica, BoundaryReplica):
                for done in replica.computed(ready):
                    number, at = served.replica[done], served.chosen_cycle[done]
                    self._dispatcher.computed(done, int(number), int(at))
        outcome, number, cached, restored = self._dispatcher.dispatch(
            request,
            (int(served.arrival_ps[request]), ready),
            lambda replica: replicas[replica].waiting(ready),
            lambda replica: replicas[replica].present(ready),
        )
        served.outcome[request] = outcome
        if outcome != Outcome.COMPLETED:
            return
        served.cached_tokens[request] = cached
        served.restored_tokens[request] = restored
        restore_cycles = times.cycle_time.first_cycle(times.restore_ps(restored))
        prompt = int(self._requests.prompt_tokens[request])
        chunks = ceil_div(prompt - cached, self._fleet.frame.chunk_tokens)
        turns = int(self._requests.turns[request])
        work = Work(ready + restore_cycles, chunks, turns)
        chosen = replicas[number].arrive(request, work, prompt)
        if chosen >= 0:
            self._dispatcher.computed(request, number, chosen)
        if self._most:
            end_ps = times.cycle_time.ps(int(served.end_cycle[request]))
            heappush(self._ends_ps, end_ps + times.host_out_ps)

"""Engine: requests on a fleet, event by event. It is the reference of the timetable."""

from collections import deque
from collections.abc import Generator
from typing import final

import simpy
from simpy import Environment, Event

from serving.events.boundary_pipeline import BoundaryPipeline
from serving.events.grid_pipeline import GridPipeline
from serving.events.job import Job, JobLog
from serving.events.moments import ARRIVE, Moment
from serving.events.prompt_server import PromptServer
from serving.fleet.dispatcher import Dispatcher
from serving.fleet.fleet import Fleet
from serving.frame import Policy, frame_times
from serving.requests.request_table import Outcome, RequestTable
from serving.results.served import Served


@final
class _Replica:
    """A replica: its calls come in one after another, and enter its pipeline."""

    def __init__(
        self,
        env: Environment,
        fleet: Fleet,
        dispatcher: Dispatcher,
        log: JobLog,
        number: int,
    ) -> None:
        self._env = env
        self.log = log
        self._calls: deque[Job] = deque()
        self._receiving = False
        outages = fleet.outages_of(number)

        def prompted(job: Job) -> None:
            dispatcher.computed(job.request, number, int(env.now))

        if fleet.at_boundaries:
            self._enter = BoundaryPipeline(
                env, fleet, self.log, prompted=prompted, outages=outages
            ).enter
            return
        times = frame_times(fleet.times, fleet.frame)
        pipeline = GridPipeline(
            env,
            times,
            self.log,
            own_slot=fleet.frame.policy is Policy.SLOTS,
            prompted=prompted,
            outages=outages,
        )
        self._enter = pipeline.enter
        if fleet.frame.policy is Policy.APART:
            self._enter = PromptServer(
                env,
                times,
                self.log,
                fleet.transfer,
                prompted=prompted,
                decode=pipeline.enter,
            ).enter

    def call(self, job: Job) -> None:
        """Take the call of a request."""
        self.log.arrive(job)
        self._calls.append(job)
        if not self._receiving:
            self._receiving = True
            self._env.process(self._receive())

    def _receive(self) -> Generator[Event, None, None]:
        """Return the process in which calls reach the chips, one after another."""
        while self._calls:
            job = self._calls[0]
            if job.ready_cycle > self._env.now:
                yield Moment(self._env, job.ready_cycle, ARRIVE)
            self._calls.popleft()
            self._enter(job)
        self._receiving = False


@final
class _Users:
    """Users, who may wait for an answer before they send the next request."""

    def __init__(self, env: Environment, fleet: Fleet, max_concurrency: int) -> None:
        self._env, self._times = env, fleet.times
        self._most, self._under_way = max_concurrency, 0
        self._answers_ps: deque[int] = deque()
        self._answered = env.event()

    def answer(self, cycle: int) -> None:
        """Take an answer whose last token is at the first stage at a cycle."""
        if self._most:
            end_ps = self._times.cycle_time.ps(cycle) + self._times.host_out_ps
            self._answers_ps.append(end_ps)
            self._answered.succeed()
            self._answered = self._env.event()

    def refuse(self) -> None:
        """Take back a request that is refused."""
        self._under_way -= 1

    def send(self, arrived_ps: int) -> Generator[Event, None, int]:
        """Wait until a user is free, and return when the next request arrives."""
        if not self._most or self._under_way < self._most:
            self._under_way += 1
            return arrived_ps
        while not self._answers_ps:
            yield self._answered
        return max(arrived_ps, self._answers_ps.popleft())


def serve_by_events(
    fleet: Fleet, requests: RequestTable, *, max_concurrency: int = 0
) -> Served:
    """Return what becomes of requests, event by event.

    Parameters are those of `serving.timetable.engine.serve`.
    """
    env = simpy.Environment()
    served = Served.empty(requests.arrival_ps)
    dispatcher = Dispatcher(fleet, requests)
    users = _Users(env, fleet, max_concurrency)
    replicas = [
        _Replica(env, fleet, dispatcher, JobLog(served, number, users.answer), number)
        for number in range(fleet.replicas)
    ]
    arrivals = _arrivals(env, fleet, requests, (dispatcher, served, users), replicas)
    env.run(env.process(arrivals))
    while any(replica.log.unfinished for replica in replicas):
        env.step()
    return served


def _arrivals(
    env: Environment,
    fleet: Fleet,
    requests: RequestTable,
    where: tuple[Dispatcher, Served, _Users],
    replicas: list[_Replica],
) -> Generator[Event, None, None]:
    """Return the process in which requests arrive and are dispatched."""
    dispatcher, served, users = where
    times, last = fleet.times, dict.fromkeys(range(fleet.replicas), 0)
    arrived_ps = 0
    for request in range(requests.size):
        planned_ps = int(requests.arrival_ps[request])
        arrived_ps = yield from users.send(max(arrived_ps, planned_ps))
        served.arrival_ps[request] = arrived_ps
        prompt = int(requests.prompt_tokens[request])
        here = times.cycle_time.first_cycle(arrived_ps + times.host_in_ps(prompt))
        if here > env.now:
            yield Moment(env, here, ARRIVE)
        now = int(env.now)
        outcome, number, cached, restored = dispatcher.dispatch(
            request,
            (arrived_ps, now),
            lambda replica: replicas[replica].log.waiting,
            lambda replica: replicas[replica].log.present,
        )
        served.outcome[request] = outcome
        if outcome != Outcome.COMPLETED:
            users.refuse()
            continue
        served.cached_tokens[request] = cached
        served.restored_tokens[request] = restored
        restore_cycles = times.cycle_time.first_cycle(times.restore_ps(restored))
        last[number] = max(last[number], now + restore_cycles)
        job = Job(
            request=request,
            ready_cycle=last[number],
            prompt_tokens=prompt,
            cached_tokens=cached,
            chunks=-(-(prompt - cached) // fleet.frame.chunk_tokens),
            turns=int(requests.turns[request]),
        )
        replicas[number].call(job)

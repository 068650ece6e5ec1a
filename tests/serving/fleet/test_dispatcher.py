from dataclasses import replace
from typing import Any

import numpy as np

from serving.fleet.dispatcher import Dispatcher
from serving.fleet.fleet import CacheSizes, Fleet, Router
from serving.fleet.limits import Limits
from serving.requests.request_table import Outcome, RequestTable, Tier, request_table
from tests.serving.round_times import round_frame, round_times

FLEET = Fleet(times=round_times(), frame=round_frame(), replicas=2)


def table(count: int = 4, **columns: list[int]) -> RequestTable:
    arrays = {name: np.array(each) for name, each in columns.items()}
    ones = np.ones(count, dtype=np.int64)
    made = request_table(0 * ones, 10 * ones, ones)
    given: dict[str, Any] = {**made._asdict(), **arrays}
    return RequestTable(**given)


def replicas(fleet: Fleet, requests: RequestTable) -> list[int]:
    dispatcher = Dispatcher(fleet, requests)
    return [
        dispatcher.dispatch(each, (0, 0), lambda _: 1, lambda one: 5 - one).replica
        for each in range(requests.size)
    ]


def test_each_router_has_its_rule() -> None:
    assert replicas(FLEET, table()) == [0, 1, 0, 1]
    least = replace(FLEET, router=Router.LEAST_QUEUE)
    assert replicas(least, table()) == [1, 1, 1, 1]
    by_class = replace(FLEET, router=Router.BY_CLASS)
    assert replicas(by_class, table(kind=[1, 1, 0, 3])) == [1, 1, 0, 1]
    prefix = replace(FLEET, router=Router.PREFIX)
    blocks = ((5,), (5, 1), (), (4,))
    assert replicas(prefix, table()._replace(blocks=blocks)) == [1, 1, 0, 0]


def test_long_contexts_have_replicas_of_their_own() -> None:
    names = ("slot", "period", "token", "window", "pass", "token_lag", "pass_lag")
    times = round_times(
        **{f"{name}_cycles": [1, 1] for name in (*names, "paced_pass")},
        paced_windows=[0, 0],
        context_tokens=[50, 100],
        decode_certificates=("a", "b"),
        chunk_certificates=("a", "b"),
    )
    fleet = replace(FLEET, times=times, router=Router.BY_CONTEXT)
    assert replicas(fleet, table(prompt_tokens=[10, 90, 49, 50])) == [0, 1, 0, 1]


def test_requests_are_refused_for_length_capacity_and_limits() -> None:
    fleet = replace(FLEET, limits=Limits(rpm=1), flex_waiting=1)
    flex = [int(Tier.ON_DEMAND), int(Tier.FLEX), int(Tier.ON_DEMAND), 0]
    requests = table(prompt_tokens=[10, 10, 100, 10], tier=flex)
    dispatcher = Dispatcher(fleet, requests)
    outcomes = [
        dispatcher.dispatch(each, (0, 0), lambda _: 1, lambda _: 0).outcome
        for each in range(4)
    ]
    assert outcomes == [
        Outcome.COMPLETED,
        Outcome.NO_CAPACITY,
        Outcome.TOO_LONG,
        Outcome.RATE_LIMITED,
    ]


def test_cached_positions_do_not_count_in_limits_and_the_last_is_computed() -> None:
    fleet = replace(
        FLEET, replicas=1, cache=CacheSizes(5, 100, 0, 1000), limits=Limits(itpm=12)
    )
    requests = table(2)._replace(blocks=((1, 2), (1, 2)))
    dispatcher = Dispatcher(fleet, requests)
    first = dispatcher.dispatch(0, (0, 0), lambda _: 0, lambda _: 0)
    assert (first.outcome, first.cached_tokens) == (Outcome.COMPLETED, 0)
    dispatcher.computed(0, 0, 5)
    second = dispatcher.dispatch(1, (0, 6), lambda _: 0, lambda _: 0)
    assert (second.outcome, second.cached_tokens) == (Outcome.COMPLETED, 9)


def test_a_request_that_a_limit_refuses_brings_nothing_to_the_cache() -> None:
    fleet = replace(
        FLEET, replicas=1, cache=CacheSizes(5, 100, 0, 1000), limits=Limits(rpm=1)
    )
    minute_ps = 60 * 10**12
    requests = table(4)._replace(blocks=((7,), (1, 2), (1, 2), (1, 2)))
    dispatcher = Dispatcher(fleet, requests)
    dispatches = []
    for request, at_ps in enumerate((0, 0, minute_ps, 2 * minute_ps)):
        when = (at_ps, request * 10)
        dispatches.append(dispatcher.dispatch(request, when, lambda _: 0, lambda _: 0))
        if dispatches[-1].outcome is Outcome.COMPLETED:
            dispatcher.computed(request, 0, request * 10 + 5)
    assert [each.outcome is Outcome.RATE_LIMITED for each in dispatches] == [
        *(False, True, False, False),
    ]
    # The third computes what the second would have, and the fourth finds it.
    assert [each.cached_tokens for each in dispatches[2:]] == [0, 9]

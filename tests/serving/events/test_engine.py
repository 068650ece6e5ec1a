from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.events.engine import serve_by_events
from serving.fleet.fleet import CacheSizes, Fleet, FleetOutage, Router, Transfer
from serving.fleet.limits import Limits
from serving.frame import Pace, Policy
from serving.requests.request_table import RequestTable, request_table
from serving.results.served import Served
from serving.timetable.bulk import BulkReplicas
from serving.timetable.engine import serve
from specs.errors import SpecError
from specs.host_link import HostSpec
from tests.serving.round_times import round_frame, round_times

BUCKETS = [20, 40, 60]
# A call takes a cycle, as rounded up.
FAST_HOST = HostSpec(request_latency_ns=0, load_gb_per_s=1e9)


def ascending(least: int, most: int) -> st.SearchStrategy[list[int]]:
    return st.lists(cycles(least, most), min_size=3, max_size=3).map(sorted)


def cycles(least: int, most: int) -> st.SearchStrategy[int]:
    """Draw multiples of ten, so that much happens in the same cycle."""
    return st.integers(least // 10, most // 10).map(lambda tens: 10 * tens)


@st.composite
def fleets(draw: st.DrawFn) -> Fleet:
    slots, chunk = draw(st.integers(1, 3)), draw(st.sampled_from([4, 10]))
    slot, over = draw(ascending(10, 40)), draw(ascending(0, 30))
    period = [slots * each + extra for each, extra in zip(slot, over, strict=True)]
    token = [
        max(each, draw(cycles(10, most)))
        for each, most in zip(slot, period, strict=True)
    ]
    window = draw(ascending(10, 60))
    times = round_times(
        host=FAST_HOST,
        slots=slots,
        chunk_tokens=chunk,
        context_tokens=BUCKETS,
        slot_cycles=slot,
        period_cycles=period,
        token_cycles=token,
        window_cycles=window,
        pass_cycles=[each + draw(cycles(0, 90)) for each in window],
        token_lag_cycles=draw(ascending(0, 50)),
        pass_lag_cycles=draw(ascending(0, 50)),
        paced_windows=sorted(draw(st.lists(st.integers(0, 5), min_size=3, max_size=3))),
        paced_pass_cycles=draw(ascending(10, 90)),
        kv_bytes_per_token=draw(cycles(0, 500)),
        decode_certificates=("d",) * 3,
        chunk_certificates=("c",) * 3,
    )
    policy = draw(st.sampled_from(Policy))
    replicas = draw(st.integers(1, 3))
    in_flight = policy is not Policy.APART and draw(st.booleans())
    outage = st.builds(
        FleetOutage,
        st.integers(0, replicas - 1),
        cycles(0, 1500),
        cycles(10, 400),
    )
    limits = st.builds(Limits, *[st.integers(0, 4)] * 2, *[st.integers(0, 300)] * 4)
    cache = st.builds(
        CacheSizes,
        st.just(4),
        st.integers(0, 30),
        st.integers(0, 30),
        st.integers(50, 2000),
    )
    return Fleet(
        times=times,
        frame=round_frame(
            slots=slots,
            windows=draw(st.integers(1, 3)) if policy is Policy.WINDOWS else 0,
            chunk_tokens=chunk,
            context_tokens=60,
            policy=policy,
            pace=Pace.CHUNK if in_flight else draw(st.sampled_from(Pace)),
        ),
        replicas=replicas,
        router=draw(st.sampled_from([Router.LEAST_QUEUE, *Router])),
        in_flight=in_flight,
        limits=draw(st.none() | limits),
        flex_waiting=draw(st.integers(0, 3)),
        cache=draw(st.none() | cache),
        outages=tuple(draw(st.lists(outage, max_size=3))),
        transfer=Transfer(draw(cycles(0, 20)), draw(cycles(0, 50))),
    )


@st.composite
def tables(draw: st.DrawFn) -> RequestTable:
    count = draw(st.integers(1, 12))

    def column(least: int, most: int) -> Any:
        values = draw(
            st.lists(st.integers(least, most), min_size=count, max_size=count)
        )
        return np.array(values, dtype=np.int64)

    prompt, output = column(1, 40), column(1, 22)
    shared = column(1, 2).tolist()
    blocks = tuple(
        tuple(100 * shared[request] + at for at in range(int(prompt[request]) // 4))
        for request in range(count)
    )
    return request_table(
        np.cumsum(column(0, 30)) * 10_000 + 9_000,
        prompt,
        output,
        # A turn gives up to four tokens.
        turns=-(-(output - 1) // column(1, 4)),
        kind=column(0, 2),
        tenant=column(0, 1),
        tier=column(0, draw(st.integers(0, 1))),
        blocks=blocks,
    )


def differences(fleet: Fleet, requests: RequestTable, users: int = 0) -> dict[str, Any]:
    one = serve(fleet, requests, max_concurrency=users)
    other = serve_by_events(fleet, requests, max_concurrency=users)
    return {
        name: (mine.tolist(), theirs.tolist())
        for name, mine, theirs in zip(Served._fields, one, other, strict=True)
        if not np.array_equal(mine, theirs)
    }


def rows_of(table: RequestTable, own: slice) -> RequestTable:
    columns = {
        name: column[own]
        for name, column in table._asdict().items()
        if name != "blocks"
    }
    return table._replace(**columns)


@settings(max_examples=150)
@given(fleets(), tables(), st.sampled_from([0, 0, 0, 1, 3]))
def test_the_timetable_says_of_every_request_what_happens_event_by_event(
    fleet: Fleet, requests: RequestTable, users: int
) -> None:
    users = 0 if fleet.at_boundaries else users
    assert differences(fleet, requests, users) == {}


@settings(max_examples=30)
@given(fleets(), tables())
def test_many_requests_at_once_are_served_as_one_after_another(
    fleet: Fleet, requests: RequestTable
) -> None:
    frame = fleet.frame
    if frame.policy not in {Policy.WINDOWS, Policy.SLOTS}:
        frame = replace(frame, policy=Policy.WINDOWS, windows=2)
    router = fleet.router
    alone = replace(
        fleet,
        frame=frame,
        in_flight=False,
        limits=None,
        cache=None,
        outages=(),
        router=Router.ROUND_ROBIN if router is Router.LEAST_QUEUE else router,
    )
    table = requests._replace(tier=np.zeros(requests.size, dtype=np.int64), blocks=())
    assert differences(alone, table) == {}
    whole = serve(alone, table)
    for number in (1, 5):
        blocks = BulkReplicas(alone)
        parts = [
            blocks.serve(rows_of(table, own))
            for own in (slice(0, number), slice(number, None))
        ]
        for name, column in zip(Served._fields, whole, strict=True):
            joined = np.concatenate([getattr(part, name) for part in parts])
            assert np.array_equal(joined, column), name


def test_users_who_wait_need_ends_that_are_known() -> None:
    fleet = Fleet(
        times=round_times(), frame=round_frame(windows=0, policy=Policy.ALTERNATE)
    )
    one = np.array([1], dtype=np.int64)
    with pytest.raises(SpecError, match="use --engine simpy"):
        serve(fleet, request_table(one, one, one), max_concurrency=1)

import numpy as np
import pytest

from serving.events.engine import serve_by_events
from serving.fleet.fleet import Fleet
from serving.frame import Pace, Policy
from serving.requests.request_table import request_table
from serving.results.served import Served
from serving.service_times import ServiceTimes
from serving.timetable.admission import Work
from serving.timetable.boundary_replica import BoundaryReplica
from serving.timetable.engine import serve
from tests.serving.round_times import round_frame, round_times


def two_buckets() -> ServiceTimes:
    """Return a pipeline that takes twice as long for contexts above 50."""
    return round_times(
        context_tokens=[50, 100],
        slot_cycles=[100, 200],
        period_cycles=[200, 400],
        token_cycles=[150, 300],
        window_cycles=[50, 100],
        pass_cycles=[300, 600],
        token_lag_cycles=[0, 0],
        pass_lag_cycles=[0, 0],
        paced_windows=[0, 0],
        paced_pass_cycles=[300, 600],
        decode_certificates=("a", "b"),
        chunk_certificates=("a", "b"),
    )


def test_a_frame_is_as_long_as_the_contexts_in_flight_need() -> None:
    fleet = Fleet(
        times=two_buckets(), frame=round_frame(pace=Pace.CHUNK), in_flight=True
    )
    served = Served.empty(np.zeros(1, dtype=np.int64))
    served.cached_tokens[:] = 0
    replica = BoundaryReplica(fleet, 0, served)
    assert replica.arrive(0, Work(0, 1, 3), 8) == -1
    assert (replica.waiting(0), replica.present(0)) == (1, 1)
    replica.advance(1)
    assert replica.computed(299) == []
    assert replica.computed(300) == [0]
    replica.finish()
    # The window is at 0 and the token at 300; turns in frames of 300 from 300 on.
    assert served.chosen_cycle.tolist() == [300]
    assert served.second_cycle.tolist() == [300 + 100 + 150]
    assert served.end_cycle.tolist() == [900 + 100 + 150]
    assert replica.present(1200) == 0


@pytest.mark.parametrize("policy", [Policy.WINDOWS, Policy.ALTERNATE])
def test_a_long_request_makes_others_slower_only_while_it_is_there(
    policy: Policy,
) -> None:
    windows = 2 if policy is Policy.WINDOWS else 0
    frame = round_frame(policy=policy, windows=windows, pace=Pace.CHUNK)
    fleet = Fleet(times=two_buckets(), frame=frame, in_flight=True)
    alone, beside = (
        serve(
            fleet,
            request_table(
                np.array([0, 1000])[:count],
                np.array([8, 60])[:count],
                np.array([30, 2])[:count],
            ),
        )
        for count in (1, 2)
    )
    assert beside.end_cycle[0] > alone.end_cycle[0]
    always = serve(
        Fleet(times=two_buckets(), frame=frame),
        request_table(np.array([0]), np.array([8]), np.array([30])),
    )
    assert beside.end_cycle[0] < always.end_cycle[0]


def test_a_frame_starts_with_a_request_although_a_pass_that_is_known_ends_later() -> (
    None
):
    # The second prompt comes while the pass of the first one drains: its frame needs
    # another program, which waits for that pass, and the first decodes a frame later.
    fleet = Fleet(
        times=two_buckets(),
        frame=round_frame(windows=0, policy=Policy.SLOTS),
        in_flight=True,
    )
    requests = request_table(
        np.array([0, 2_000_000]), np.array([56, 1]), np.array([2, 1])
    )
    assert (
        serve(fleet, requests).end_cycle.tolist()
        == serve_by_events(fleet, requests).end_cycle.tolist()
    )

import pytest

from serving.fleet.fleet import Fleet, FleetOutage
from serving.frame import Policy
from specs.errors import SpecError
from tests.serving.round_times import round_frame, round_times


def test_a_fleet_that_cannot_be_is_refused() -> None:
    times, frame = round_times(), round_frame()
    with pytest.raises(SpecError, match="replicas must be > 0, got 0"):
        Fleet(times=times, frame=frame, replicas=0)
    with pytest.raises(SpecError, match="0 windows serve no prompt"):
        Fleet(times=times, frame=round_frame(windows=0))
    with pytest.raises(SpecError, match="outage of replica 1: there are 1"):
        Fleet(times=times, frame=frame, outages=(FleetOutage(1, 0, 5),))
    apart = round_frame(windows=0, policy=Policy.APART)
    with pytest.raises(SpecError, match="leave in_flight out"):
        Fleet(times=times, frame=apart, in_flight=True)


def test_the_outages_of_a_replica_are_in_the_order_of_time() -> None:
    outages = tuple(FleetOutage(*each) for each in ((0, 9, 1), (1, 5, 1), (0, 2, 1)))
    fleet = Fleet(times=round_times(), frame=round_frame(), replicas=2, outages=outages)
    assert [each.at_cycle for each in fleet.outages_of(0)] == [2, 9]
    assert not fleet.at_boundaries

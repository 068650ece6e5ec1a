import numpy as np

from serving.fleet.fleet import Fleet, FleetOutage, Transfer
from serving.frame import Policy
from serving.results.served import Served
from serving.timetable.admission import Work
from serving.timetable.grid_replica import GridReplica
from tests.serving.round_times import round_frame, round_times


def test_an_outage_delays_what_is_under_way_and_all_after_it() -> None:
    served = Served.empty(np.zeros(2, dtype=np.int64))
    for request, outages in enumerate([(), (FleetOutage(0, 600, 1000),)]):
        fleet = Fleet(times=round_times(), frame=round_frame(), outages=outages)
        replica = GridReplica(fleet, 0, served)
        replica.arrive(request, Work(1, 2, 3), 16)
        assert replica.waiting(50) == 1
        assert replica.waiting(51) == 0
        assert replica.present(1399 + 1000 * request) == 1
        assert replica.present(1400 + 1000 * request) == 0
    # The token of the prompt is there at 600, when the outage begins.
    assert served.chosen_cycle.tolist() == [600, 600]
    assert served.second_cycle.tolist() == [850, 1850]
    assert served.end_cycle.tolist() == [1450, 2450]


def test_prompts_apart_cross_a_link_to_their_slot() -> None:
    fleet = Fleet(
        times=round_times(),
        frame=round_frame(windows=0, policy=Policy.APART),
        transfer=Transfer(10, 7),
    )
    served = Served.empty(np.zeros(1, dtype=np.int64))
    replica = GridReplica(fleet, 0, served)
    # Windows at 3 and 53, the token at 353, and 16 positions take 160 + 7.
    assert replica.arrive(0, Work(3, 2, 1), 16) == 353
    assert served.end_cycle.tolist() == [600 + 150]
    replica.advance(10**6)
    replica.finish()

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
        assert replica.waiting(1) == 1
        assert replica.waiting(2) == 0
        assert replica.present(1100 + 1000 * request) == 1
        assert replica.present(1101 + 1000 * request) == 0
    # The outage begins with the frame at 601, after the turn at 401.
    assert served.chosen_cycle.tolist() == [351, 351]
    assert served.second_cycle.tolist() == [551, 551]
    assert served.end_cycle.tolist() == [1151, 2151]


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
    assert served.end_cycle.tolist() == [520 + 150]
    replica.advance(10**6)
    replica.finish()

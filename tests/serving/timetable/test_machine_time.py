from serving.fleet.fleet import FleetOutage
from serving.timetable.machine_time import MachineTime


def test_a_machine_stands_still_from_the_next_frame_on() -> None:
    time = MachineTime(100, [FleetOutage(0, 150, 30)])
    time.settle(0, 0, 1000)
    assert [time.machine(at) for at in (199, 200, 215, 230, 231)] == [
        *(199, 200, 200, 200, 201)
    ]
    # What ends at the stop ends before it, what starts there starts after it.
    assert (time.end(200), time.begin(200)) == (200, 230)
    assert (time.end(201), time.begin(199)) == (231, 199)


def test_an_outage_within_another_follows_it() -> None:
    time = MachineTime(100, [FleetOutage(0, 150, 30), FleetOutage(0, 210, 7)])
    time.settle(0, 0, 1000)
    assert (time.begin(200), time.end(200)) == (237, 200)
    assert time.machine(240) == 203


def test_an_idle_machine_stops_at_once() -> None:
    # Frames from 20 on: the next one would begin at 220, but all is done before.
    for idle, stop in ((120, 150), (170, 170), (230, 220)):
        time = MachineTime(100, [FleetOutage(0, 150, 30)])
        time.settle(230, 20, idle)
        assert [time.begin(at) for at in (stop - 1, stop)] == [stop - 1, stop + 30]


def test_an_outage_waits_for_requests_that_may_move_it() -> None:
    time = MachineTime(100, [FleetOutage(0, 150, 30)])
    time.settle(160, 0, 170)
    assert time.begin(180) == 180
    time.settle(160, 0, 400)
    assert (time.begin(199), time.begin(200)) == (199, 230)

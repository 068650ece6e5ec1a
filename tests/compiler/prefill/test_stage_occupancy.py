import numpy as np
import pytest

from compiler.ir.transfers import CycleBreakdown, Transport
from compiler.prefill.stage_occupancy import StageOccupancy
from specs.errors import ScheduleError
from topologies.selection import select_topology

STALL, INTERVAL = 10, 100


def occupancy(interval: int = INTERVAL) -> StageOccupancy:
    """Return two stages of two chips each, on four chips that are all linked."""
    stages = [np.array([0, 1]), np.array([2, 3])]
    return StageOccupancy(select_topology(4, "auto"), stages, interval, STALL)


def test_a_transfer_touches_the_stages_of_its_chips_while_they_send_or_receive() -> (
    None
):
    topology = select_topology(4, "auto")
    (link,) = (
        each for each in topology.out_links(0) if int(topology.target[each]) == 2
    )
    one = np.ones(1, dtype=np.int64)
    transport = Transport(
        link=link * one,
        vectors=one,
        wire_cycle=5 * one,
        receive_cycle=40 * one,
        previous=-one,
        message=0 * one,
        serialisation_cycles=8 * one,
        spent=CycleBreakdown(link=60),
        hops=1,
    )
    assert occupancy().touched(transport) == {0: (5, 13), 1: (40, 48)}


def test_a_stage_rests_when_it_is_done_if_a_transfer_would_rely_on_an_old_rest() -> (
    None
):
    stages = occupancy()
    stages.work(0, 95)
    # It has rested at the latest before cycle 0, and would end at 85 and at 115.
    assert stages.transfer_start({0: (0, 20)}, 65, 65) == 65
    assert stages.transfer_start({0: (0, 20)}, 90, 90) == 95 + STALL
    assert stages.rested_cycle(0) == 105
    assert stages.work_start(0, 97) == 105


def test_an_idle_stage_has_rested() -> None:
    stages = occupancy()
    stages.work(0, 50)
    stages.settle(0, 200)
    assert stages.rested_cycle(0) == 200
    assert stages.transfer_start({0: (0, 20)}, 200, 200) == 200


def test_a_stage_that_is_idle_for_a_moment_rests_if_it_soon_must() -> None:
    stages = occupancy()
    stages.work(0, 30)
    stages.settle(0, 30)
    assert stages.work_start(0, 30) == 30
    stages.work(0, 60)
    stages.settle(0, 60)
    assert stages.work_start(0, 60) == 60 + STALL


def test_chips_that_never_deskew_need_no_rest() -> None:
    stages = occupancy(interval=0)
    stages.work(0, 10**6)
    assert stages.transfer_start({0: (0, 20)}, 10**6, 10**6) == 10**6


def test_a_transfer_longer_than_the_interval_is_refused() -> None:
    with pytest.raises(ScheduleError, match=r"takes 95 cycles, more than the 100 of"):
        occupancy().transfer_start({0: (0, 95)}, 50, 50)

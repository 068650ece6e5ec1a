import numpy as np

from fabric.reactive.deadlock import deadlock
from fabric.reactive.traffic import Journeys, Messages


def test_a_cycle_of_buffers_is_named_with_the_channels_that_break_it() -> None:
    two = np.zeros(2, dtype=np.int64)
    crossing = Journeys(
        messages=Messages(source=two, target=two, vectors=two + 1, ready_ps=two),
        message=np.array([0, 1]),
        hops=np.array([2, 2]),
        # One packet goes over link 4 and then 7, the other over 7 and then 4.
        link=np.array([4, 7, 7, 4]),
    )
    blocked = {7: [1], 4: [3]}
    assert deadlock(blocked, crossing, channel=[0, 0, 0, 0]) == (
        "deadlock: 2 queues wait for a place that never gets free; link 4 channel 0 "
        "waits for link 7 channel 0 waits for link 4 channel 0; set virtual_channels "
        "to 2, one for each link of the longest way"
    )

import numpy as np

from fabric.reactive.deadlock import deadlock
from fabric.reactive.traffic import Journeys, Messages


def test_a_cycle_of_buffers_is_named_with_the_channels_that_break_it() -> None:
    none = np.zeros(3, dtype=np.int64)
    crossing = Journeys(
        messages=Messages(source=none, target=none, vectors=none + 1, ready_ps=none),
        message=np.array([0, 1, 2]),
        hops=np.array([2, 2, 2]),
        # One packet goes over link 4 and then 7, another over 7 and then 4; the third
        # waits for them, but nothing waits for it.
        link=np.array([4, 7, 7, 4, 9, 4]),
    )
    blocked = {4: [5, 3], 7: [1]}
    assert deadlock(blocked, crossing, channel=[0] * 6) == (
        "deadlock: 3 queues wait for a place that never gets free; link 4 channel 0 "
        "waits for link 7 channel 0 waits for link 4 channel 0; set virtual_channels "
        "to 2, one for each link of the longest way"
    )

"""A schedule too large to be held is refused before it is made."""

import numpy as np
import pytest

from compiler.collectives.exchange_phases import exchange_candidates, fewest_messages
from compiler.scheduling.train_count import check_trains
from sharding.operators.operators import Exchange, Pattern
from specs.errors import ScheduleError
from topologies.selection import select_topology
from topologies.topology import Topology


@pytest.fixture(scope="module")
def rack() -> Topology:
    return select_topology(72)


@pytest.mark.parametrize("width", [1, 2, 7, 8, 9, 16, 20, 24, 27, 40, 64, 72])
def test_no_way_to_exchange_takes_fewer_messages(rack: Topology, width: int) -> None:
    chips = np.arange(width, dtype=np.int64)
    whole = Exchange("gather", Pattern.GATHER, chips * 0 + 320, chips * 0)
    ways = exchange_candidates(rack, whole, chips)
    counts = [sum(len(phase.messages) for phase in way) for way in ways]
    assert min(counts) >= fewest_messages(rack, chips)


def test_six_million_trains_are_the_most() -> None:
    check_trains(6_000_000, width=64, chips=192)
    with pytest.raises(
        ScheduleError, match=r"24,000,000 trains.*use tensor=32,pipeline=6"
    ):
        check_trains(24_000_000, width=64, chips=192)

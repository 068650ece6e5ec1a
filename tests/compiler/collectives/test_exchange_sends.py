import numpy as np
import pytest

from compiler.collectives.exchange_phases import exchange_candidates
from compiler.collectives.exchange_sends import exchange_sends, payloads
from compiler.collectives.phases import Algorithm
from sharding.operators.operators import Exchange, Pattern
from topologies.selection import select_topology

RACK = select_topology(72)


def test_a_ring_sends_one_shard_a_step_and_a_hierarchy_all_it_has() -> None:
    shards = np.array([1, 10, 100, 1000])
    teams = np.zeros(4, dtype=np.int64)
    forms = exchange_sends(RACK, Pattern.GATHER, teams, np.array([0, 1, 8, 9]))
    ring = next(each for each in forms if each.algorithm is Algorithm.RING)
    assert ring.relays
    sizes = payloads(ring.sends(), shards)
    assert [size.tolist() for size in sizes] == [
        [1, 10, 100, 1000],
        [1000, 1, 10, 100],
        [100, 1000, 1, 10],
    ]
    nodes = next(each for each in forms if each.form == "by slots")
    first, second = payloads(nodes.sends(), shards)
    assert sorted(first.tolist()) == [1, 10, 100, 1000]
    # Each chip then has the shards of two and sends both to its neighbour.
    assert sorted(second.tolist()) == [101, 101, 1010, 1010]


@pytest.mark.parametrize("pattern", [Pattern.GATHER, Pattern.SCATTER])
def test_messages_are_as_many_as_the_phases_have(pattern: Pattern) -> None:
    chips = np.arange(20, dtype=np.int64)
    shards, only = chips * 0 + 320, chips % 3 == 0
    exchange = Exchange("exchange", pattern, shards, chips * 0, only)
    sends = exchange_sends(RACK, pattern, exchange.teams, chips, only=only)
    phases = [each.phases() for each in exchange_candidates(RACK, exchange, chips)]
    for made, scheduled in zip(sends, phases, strict=True):
        needed = sum(int(each.needed.sum()) for each in made.sends())
        assert needed == sum(len(phase.messages) for phase in scheduled)
        assert needed < made.messages


def test_without_a_second_chip_nobody_sends() -> None:
    (alone,) = exchange_sends(RACK, Pattern.GATHER, np.arange(3), np.arange(3))
    assert alone.sends() == ()

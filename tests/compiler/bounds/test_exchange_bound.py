import numpy as np
import pytest

from compiler.bounds.congestion_bound import congestion_bound
from compiler.bounds.exchange_bound import ExchangeBoundCache, exchange_key
from compiler.collectives.exchange_phases import exchange_candidates
from sharding.operators.operators import Exchange, Pattern
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import load_model
from topologies.selection import select_topology

MACHINE = load_machine()
RACK = select_topology(72)
TASK = Task(load_model("gpt2"), MACHINE, 4, 128, 1)


def exchange(
    pattern: Pattern = Pattern.GATHER, shard_bytes: int = 320, *, width: int = 4
) -> Exchange:
    shards = np.full(width, shard_bytes)
    return Exchange("exchange", pattern, shards, 0 * shards)


@pytest.fixture
def bounds() -> ExchangeBoundCache:
    return ExchangeBoundCache(congestion_bound(MACHINE, RACK, 0))


def test_exchanges_have_equal_keys_if_all_but_their_names_are_equal() -> None:
    one = exchange()
    same = Exchange("another name", one.pattern, one.shard_bytes, one.teams)
    assert exchange_key(one) == exchange_key(same)
    others = [
        exchange(Pattern.SCATTER),
        exchange(shard_bytes=640),
        Exchange("teams", one.pattern, one.shard_bytes, np.array([0, 0, 1, 1])),
        Exchange("only", one.pattern, one.shard_bytes, one.teams, np.arange(4) < 1),
    ]
    assert len({exchange_key(other) for other in (one, *others)}) == 5


def test_an_all_gather_takes_its_fastest_algorithm(bounds: ExchangeBoundCache) -> None:
    links = congestion_bound(MACHINE, RACK, 0)
    chips, gather = np.arange(16), exchange(width=16)
    cycles = [
        sum(links.cycles(phase.messages) for phase in algorithm.phases())
        for algorithm in exchange_candidates(RACK, gather, chips)
    ]
    assert min(cycles) < max(cycles)
    least = bounds.cycles(TASK._replace(tensor=16), gather, chips)
    assert least == min(cycles)


def test_chips_of_two_nodes_take_longer_than_those_of_one(
    bounds: ExchangeBoundCache,
) -> None:
    near = bounds.cycles(TASK, exchange(), np.arange(4))
    far = bounds.cycles(TASK, exchange(), np.array([0, 1, 8, 9]))
    assert near < far
    assert bounds.cycles(TASK, exchange(), np.arange(4)) == near


def test_larger_shards_never_take_less(bounds: ExchangeBoundCache) -> None:
    cycles = [
        bounds.cycles(TASK, exchange(Pattern.SCATTER, size), np.arange(4))
        for size in (320, 640, 6_400)
    ]
    assert cycles == sorted(cycles)
    assert cycles[0] < cycles[-1]

"""What messages of an exchange carry, for each algorithm."""

from dataclasses import replace

import numpy as np
import pytest

from chip.dataflow import Function
from compiler.collectives.contents import (
    PhaseDataflow,
    exchange_dataflow,
    gathered_shards,
    member_hops,
)
from compiler.collectives.exchange_phases import exchange_candidates
from compiler.collectives.phases import Algorithm
from sharding.operators.operands import Operand, operand, shards
from sharding.operators.operators import Exchange, Pattern
from topologies.selection import select_topology

WIDTH = 24
WHOLE = np.zeros(WIDTH, dtype=np.int64)
EDGES = np.arange(0, 4 * WIDTH + 1, 4)
FIRST, LAST = EDGES[:-1], EDGES[1:]
RACK = select_topology(WIDTH)
# Members in another order than their numbers.
CHIPS = np.roll(np.arange(WIDTH), 5)


def gather() -> Exchange:
    shard = operand("value", FIRST, LAST)
    sizes = np.full(WIDTH, 8)
    return Exchange("gather", Pattern.GATHER, sizes, WHOLE, carries=lambda: (shard,))


def scatter() -> Exchange:
    member = np.arange(WIDTH)
    parts = shards("sum", FIRST, LAST, member, member + 1)
    return Exchange(
        "scatter",
        Pattern.SCATTER,
        np.full(WIDTH, 8),
        WHOLE,
        carries=lambda: (parts,),
    )


def dataflow(
    exchange: Exchange, algorithm: Algorithm
) -> list[tuple[list[tuple[int, int]], PhaseDataflow]]:
    """Return the ends of each phase's messages, as members, and its dataflow."""
    candidates = exchange_candidates(RACK, exchange, CHIPS)
    phases = [c for c in candidates if c.algorithm is algorithm][-1].phases()
    ends = member_hops(phases, CHIPS)
    made = exchange_dataflow(exchange, phases, ends, WIDTH)
    hops = [list(map(tuple, pair.T.tolist())) for pair in ends]
    return list(zip(hops, made, strict=True))


def regions(carried: Operand, row: int) -> set[tuple[int, int, int, int]]:
    """Return the columns and parts that a message, or a member, has."""
    own = carried.member == row
    return set(zip(*(column[own].tolist() for column in carried[2:6]), strict=True))


def union(parts: list[set[int]]) -> set[int]:
    return {part for each in parts for part in each}


ALGORITHMS = [Algorithm.ONE_SHOT, Algorithm.HIERARCHICAL, Algorithm.RING]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_an_all_gather_brings_every_shard_to_every_member_once(
    algorithm: Algorithm,
) -> None:
    columns = [set(range(4 * m, 4 * m + 4)) for m in range(WIDTH)]
    for hops, phase in dataflow(gather(), algorithm):
        (carried,) = phase.carried
        assert phase.sums == ()
        held = [set(own) for own in columns]
        for row, (source, target) in enumerate(hops):
            for first, last, *_ in regions(carried, row):
                sent = set(range(first, last))
                # It has what it sends, and the target has not.
                assert sent <= held[source]
                assert not sent & columns[target]
                columns[target] |= sent
    assert all(own == set(range(4 * WIDTH)) for own in columns)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_reduce_scatter_brings_every_part_of_a_shard_to_its_member_once(
    algorithm: Algorithm,
) -> None:
    # Parts of each column of each member, each an array of its own at first.
    held = [{c: [{m}] for c in range(4 * WIDTH)} for m in range(WIDTH)]
    for hops, phase in dataflow(scatter(), algorithm):
        (carried,) = phase.carried
        before = [{c: list(arrays) for c, arrays in own.items()} for own in held]
        for row, (source, target) in enumerate(hops):
            own = carried.member == row
            arrays = (
                np.arange(own.sum()) if carried.array is None else carried.array[own]
            )
            sent: dict[tuple[int, int], set[int]] = {}
            for array, first, last, low, high in zip(
                arrays.tolist(), *(c[own].tolist() for c in carried[2:6]), strict=True
            ):
                for column in range(first, last):
                    sent.setdefault((array, column), set()).update(range(low, high))
            for (_, column), array_parts in sent.items():
                # It is one array of the source.
                assert array_parts in before[source][column]
                held[target][column].append(array_parts)
        for operation in phase.sums:
            assert operation.function is Function.PARTIAL_SUM
            assert operation.reads == operation.writes
            (summed,) = operation.writes
            for member in set(summed.member.tolist()):
                for first, last, *_ in regions(summed, member):
                    for column in range(first, last):
                        parts = held[member][column]
                        assert sum(map(len, parts)) == len(union(parts))
                        held[member][column] = [union(parts)]
    for member in range(WIDTH):
        for column in range(4 * member, 4 * member + 4):
            parts = held[member][column]
            assert sum(map(len, parts)) == WIDTH
            assert union(parts) == set(range(WIDTH))


def test_shards_side_by_side_are_one_region_and_sums_of_them_one_array() -> None:
    hops, phase = dataflow(scatter(), Algorithm.HIERARCHICAL)[-1]
    (carried,) = phase.carried
    assert carried.array is not None
    assert len(carried.member) < len(hops) * 8


def test_what_is_attached_to_a_reduce_scatter_goes_to_all() -> None:
    beside = operand("squares", 0, WHOLE + 1, np.arange(WIDTH), np.arange(WIDTH) + 1)
    attached = Exchange(
        "scatter",
        Pattern.SCATTER,
        np.full(WIDTH, 8),
        WHOLE,
        carries=scatter().carries,
        attached=lambda: (beside,),
    )
    ((hops, phase),) = dataflow(attached, Algorithm.ONE_SHOT)
    squares = phase.carried[-1]
    for row, (source, _) in enumerate(hops):
        assert regions(squares, row) == {(0, 1, source, source + 1)}


def test_a_message_of_an_all_gather_carries_all_that_its_source_holds() -> None:
    # Neighbours exchange, then pairs.
    hops = [[(0, 1), (1, 0), (2, 3), (3, 2)], [(0, 2), (2, 0), (1, 3), (3, 1)]]
    first, second = gathered_shards(hops, 4, relays=False)
    assert first == [(0,), (1,), (2,), (3,)]
    assert second == [(0, 1), (2, 3), (0, 1), (2, 3)]


def test_a_message_of_a_ring_carries_what_its_source_received_last() -> None:
    ring = [(0, 1), (1, 2), (2, 0)]
    relayed = gathered_shards([ring, ring], 3, relays=True)
    assert relayed == [[(0,), (1,), (2,)], [(2,), (0,), (1,)]]
    # Without relays the shards of the first step would be sent once more.
    again = gathered_shards([ring, ring], 3, relays=False)
    assert again[1] == [(0, 2), (0, 1), (1, 2)]


def test_messages_of_a_phase_are_sent_before_any_of_it_arrives() -> None:
    chain = [[(0, 1), (1, 2)], [(1, 2)]]
    assert gathered_shards(chain, 3, relays=False) == [[(0,), (1,)], [(0, 1)]]


@pytest.mark.parametrize("joined", [True, False])
def test_shards_with_values_of_their_own_are_sent_as_an_array_each(
    joined: bool,
) -> None:
    exchange = replace(scatter(), joined=joined)
    arrays = 0
    for _, phase in dataflow(exchange, Algorithm.HIERARCHICAL):
        (carried,) = phase.carried
        whole = carried.last - carried.first == 4
        assert joined or np.all(whole)
        arrays += int(np.count_nonzero(~whole))
    # Otherwise neighbours travel together, with one set of values for both.
    assert (arrays > 0) == joined

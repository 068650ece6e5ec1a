import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from compiler.cost.link_timing import link_timing, serialisation_cycles
from compiler.ir.transfers import Transport
from compiler.routing.bulk_reservation import reserve
from specs.arrays import Ints
from specs.machine import load_machine
from topologies.routing.minimal_paths import minimal_paths
from topologies.selection import select_topology

MACHINE = load_machine()
RACK = select_topology(72)
TIMING = link_timing(RACK, MACHINE, 30)
FIXED = TIMING.guard_cycles + TIMING.pass_cycles
chips = st.integers(0, 71)
messages = st.tuples(chips, chips, st.integers(1, 40)).filter(lambda m: m[0] != m[1])
phases = st.lists(messages, min_size=1, max_size=60).map(
    lambda rows: np.array(rows, dtype=np.int64).T
)


def sent(phase: Ints) -> Transport:
    source, target, vectors = phase
    return reserve(MACHINE, TIMING, minimal_paths(RACK, source, target), vectors)


def ready_cycles(transport: Transport) -> Ints:
    """Return when each train could have entered its wire at the earliest."""
    passed_on = transport.receive_cycle[transport.previous] + TIMING.pass_cycles
    return np.where(transport.previous < 0, TIMING.send_cycles, passed_on)


@given(phase=phases)
def test_a_wire_is_never_taken_twice_nor_kept_free_while_somebody_asks_for_it(
    phase: Ints,
) -> None:
    made = sent(phase)
    ready = ready_cycles(made)
    order = np.lexsort((made.wire_cycle, made.link))
    over: dict[int, int] = {}
    for row in order.tolist():
        link = int(made.link[row])
        wire = int(made.wire_cycle[row])
        assert wire == max(int(ready[row]), over.get(link, 0))
        over[link] = wire + int(made.serialisation_cycles[row])


def rest_cycles(transport: Transport) -> Ints:
    """Return the time from the start of each train until its message has arrived."""
    rest = transport.serialisation_cycles + 0
    for row in range(len(rest) - 1, -1, -1):
        rest[row] += TIMING.latency_cycles[transport.link[row]] + FIXED
        if row + 1 < len(rest) and transport.previous[row + 1] == row:
            rest[row] += rest[row + 1] - transport.serialisation_cycles[row + 1]
    return rest


@given(phase=phases)
def test_of_those_that_wait_a_link_serves_the_one_with_most_ahead(phase: Ints) -> None:
    made = sent(phase)
    ready, rest = ready_cycles(made), rest_cycles(made)
    for link in np.unique(made.link).tolist():
        rows = np.flatnonzero(made.link == link)
        for row in rows.tolist():
            start = made.wire_cycle[row]
            waits = rows[(ready[rows] <= start) & (made.wire_cycle[rows] > start)]
            assert rest[row] >= rest[waits].max(initial=0)


def test_a_message_with_a_longer_way_ahead_goes_first() -> None:
    # Both want the link from chip 0 to chip 1; the second goes on from there.
    ahead = RACK.links_between(0, 1)[0], RACK.links_between(1, 2)[0]
    paths = np.array([[ahead[0], -1], ahead], dtype=np.int32)
    made = reserve(MACHINE, TIMING, paths, np.array([5, 5]))
    assert made.wire_cycle.tolist()[:2] == [
        TIMING.send_cycles + serialisation_cycles(MACHINE, 5),
        TIMING.send_cycles,
    ]


@given(phase=phases)
def test_every_message_goes_its_minimal_way_in_full(phase: Ints) -> None:
    source, target, vectors = phase
    made = sent(phase)
    paths = minimal_paths(RACK, source, target)
    assert made.link.tolist() == paths[paths >= 0].tolist()
    hops = (paths >= 0).sum(axis=1)
    assert made.vectors.tolist() == np.repeat(vectors, hops).tolist()
    assert made.hops == hops.max()
    chained = made.previous >= 0
    assert (RACK.target[made.link[made.previous]] == RACK.source[made.link])[
        chained
    ].all()


@given(phase=phases)
def test_the_span_ends_with_the_last_vector_in_sram(phase: Ints) -> None:
    made = sent(phase)
    tails = [serialisation_cycles(MACHINE, n - 1) for n in made.vectors.tolist()]
    ends = made.receive_cycle + tails + TIMING.receive_cycles
    last_hop = ~np.isin(np.arange(len(made.link)), made.previous)
    assert made.duration_cycles == ends[last_hop].max()
    assert min(made.spent) >= 0

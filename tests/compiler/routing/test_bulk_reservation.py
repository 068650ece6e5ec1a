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


@given(phase=phases)
def test_links_serve_in_the_order_in_which_they_are_asked(phase: Ints) -> None:
    made = sent(phase)
    ready = ready_cycles(made)
    order = np.lexsort((made.wire_cycle, made.link))
    same = made.link[order][1:] == made.link[order][:-1]
    assert (np.diff(ready[order])[same] >= 0).all()


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

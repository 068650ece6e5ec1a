from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from compiler.cost.link_timing import link_timing, serialisation_cycles, vectors_of
from compiler.ir.messages import Message, MessageTable
from compiler.ir.transfers import CycleBreakdown
from compiler.routing.bulk_reservation import reserve
from compiler.routing.message_scheduler import MessageScheduler
from specs.machine import load_machine
from topologies.routing.static_routes import Routes
from topologies.selection import select_topology

MACHINE = load_machine()
RACK = select_topology(72)
GUARD = 30
chips = st.integers(0, 71)
messages = st.builds(Message, chips, chips, st.integers(1, 4000)).filter(
    lambda message: message.source != message.target
)
phases = st.lists(messages, min_size=1, max_size=30).map(tuple)


def scheduler() -> MessageScheduler:
    timing = link_timing(RACK, MACHINE, GUARD)
    return MessageScheduler(RACK, MACHINE, Routes(RACK), timing)


@given(phase=phases)
def test_trains_on_a_link_never_overlap(phase: tuple[Message, ...]) -> None:
    sent = scheduler().transport(MessageTable.of(phase))
    rows = sorted(
        zip(
            sent.link.tolist(),
            sent.wire_cycle.tolist(),
            sent.serialisation_cycles.tolist(),
            strict=True,
        )
    )
    for (link, start, length), (next_link, next_start, _) in pairwise(rows):
        assert link != next_link or start + length <= next_start


@given(phase=phases)
def test_each_train_is_received_after_latency_and_guard_and_forwarded_after_that(
    phase: tuple[Message, ...],
) -> None:
    sent = scheduler().transport(MessageTable.of(phase))
    timing = link_timing(RACK, MACHINE, GUARD)
    wait = sent.receive_cycle - sent.wire_cycle
    assert wait.tolist() == (timing.latency_cycles[sent.link] + GUARD).tolist()
    for train, before in enumerate(sent.previous.tolist()):
        if before < 0:
            assert sent.wire_cycle[train] >= timing.send_cycles
        else:
            ready = sent.receive_cycle[before] + timing.pass_cycles
            assert sent.wire_cycle[train] >= ready
            assert RACK.target[sent.link[before]] == RACK.source[sent.link[train]]


@given(phase=phases)
def test_every_message_reaches_its_target_whole(phase: tuple[Message, ...]) -> None:
    sent = scheduler().transport(MessageTable.of(phase))
    before = sent.previous.tolist()
    last = set(range(len(before))) - set(before)
    arrived = []
    for train in last:
        first = train
        while before[first] >= 0:
            first = before[first]
        ends = (RACK.source[sent.link[first]], RACK.target[sent.link[train]])
        arrived.append((*map(int, ends), int(sent.vectors[train])))
    wanted = [(m.source, m.target, vectors_of(MACHINE, m.payload_bytes)) for m in phase]
    assert sorted(arrived) == sorted(wanted)


@given(phase=phases)
def test_what_is_spent_adds_up_to_the_time_of_the_last_vector(
    phase: tuple[Message, ...],
) -> None:
    sent = scheduler().transport(MessageTable.of(phase))
    there = [
        receive + serialisation_cycles(MACHINE, vectors - 1) + 202
        for receive, vectors in zip(
            sent.receive_cycle.tolist(), sent.vectors.tolist(), strict=True
        )
    ]
    assert sent.duration_cycles == sum(sent.spent) == max(there)
    assert min(sent.spent) >= 0


def test_a_vector_to_a_neighbour_takes_the_published_hop_and_the_guard() -> None:
    sent = scheduler().transport(MessageTable.of([(0, 1, 320)]))
    # 201 to the wire, 209 over it, 202 to SRAM.
    assert sent.spent == CycleBreakdown(link=201 + 209 + 202, guard=GUARD)
    assert sent.duration_cycles == 612 + GUARD


def test_payloads_of_equally_many_vectors_share_a_template() -> None:
    both = scheduler()
    one, other = (
        both.transport(MessageTable.of([(0, 1, size)])) for size in (321, 640)
    )
    assert one is other


WARM = scheduler()


@given(phase=phases, shift=st.integers(0, 8))
def test_phases_that_are_alike_are_each_scheduled_as_if_they_were_alone(
    phase: tuple[Message, ...], shift: int
) -> None:
    # The same on the chips of another node: what is kept of the first serves both.
    moved = [
        message._replace(
            source=(message.source + 8 * shift) % 72,
            target=(message.target + 8 * shift) % 72,
        )
        for message in phase
    ]
    WARM.transport(MessageTable.of(phase))
    kept = WARM.transport(MessageTable.of(moved))
    table = MessageTable.of(moved)
    counts = [vectors_of(MACHINE, each) for each in table.payload_bytes.tolist()]
    alone = reserve(
        MACHINE,
        link_timing(RACK, MACHINE, GUARD),
        Routes(RACK).paths(table.source, table.target),
        np.array(counts, dtype=np.int64),
    )
    for name in ("link", "wire_cycle", "receive_cycle", "previous", "message"):
        assert getattr(kept, name).tolist() == getattr(alone, name).tolist()
    assert (kept.spent, kept.hops) == (alone.spent, alone.hops)

from functools import cache

import numpy as np
import pytest

from compiler.cost.link_timing import LinkTiming, link_timing, vectors_of
from compiler.ir.messages import MessageTable
from compiler.ir.transfers import Transport
from compiler.prefill.link_spans import LinkSpans, LinkUse
from compiler.prefill.stage_transfers import TransferRouter, parts_of
from compiler.routing.message_scheduler import MessageScheduler
from specs.machine import MachineSpec, load_machine
from topologies.routing.static_routes import Routes
from topologies.selection import select_topology
from topologies.topology import Topology

GUARD = 20


@cache
def rack() -> tuple[Topology, MachineSpec, LinkTiming]:
    """Return nine nodes of eight chips, each pair joined by four cables."""
    topology, machine = select_topology(72, "auto"), load_machine()
    return topology, machine, link_timing(topology, machine, GUARD)


def minimal(payload_bytes: int, node: int = 1) -> Transport:
    """Return a transfer from the chips of the first node to those of another."""
    topology, machine, timing = rack()
    messages = MessageTable(
        np.arange(8), 8 * node + np.arange(8), np.full(8, payload_bytes)
    )
    scheduler = MessageScheduler(topology, machine, Routes(topology), timing)
    return scheduler.transport(messages)


def most_on_a_cable(transport: Transport) -> int:
    """Return the most vectors that a link between two nodes carries."""
    topology, _, _ = rack()
    source, target = (
        ends[transport.link] // 8 for ends in (topology.source, topology.target)
    )
    rows = source != target
    return int(np.bincount(transport.link[rows], transport.vectors[rows]).max())


@pytest.mark.parametrize("node", [1, 4, 8])
def test_long_messages_between_two_nodes_take_more_than_their_four_cables(
    node: int,
) -> None:
    topology, machine, timing = rack()
    # 128 KiB of each chip.
    given = minimal(2**17, node)
    router = TransferRouter(topology, machine, timing)
    spread = router.placed(router.parts(given), LinkSpans(), 0).transport
    whole = 8 * vectors_of(machine, 2**17)
    # One of four cables carries at least a quarter of it.
    assert most_on_a_cable(given) >= whole / 4
    assert most_on_a_cable(spread) <= whole / 6
    assert spread.duration_cycles < 0.7 * given.duration_cycles


def test_every_vector_of_a_message_travels_from_its_source_to_its_target() -> None:
    topology, machine, timing = rack()
    router = TransferRouter(topology, machine, timing)
    parts = router.parts(minimal(2**15))
    sent = np.zeros(8, dtype=np.int64)
    for part in parts:
        links = list(part.links)
        sent[part.message] += part.vectors
        assert topology.source[links[0]] == part.message
        assert topology.target[links[-1]] == 8 + part.message
        assert (topology.target[links[:-1]] == topology.source[links[1:]]).all()
    assert sent.tolist() == [vectors_of(machine, 2**15)] * 8
    assert parts_of(router.placed(parts, LinkSpans(), 0).transport) == parts


def test_short_messages_keep_the_minimal_paths() -> None:
    topology, machine, timing = rack()
    given = minimal(1)
    parts = TransferRouter(topology, machine, timing).parts(given)
    placed = TransferRouter(topology, machine, timing).placed(parts, LinkSpans(), 0)
    assert placed.transport.duration_cycles <= given.duration_cycles
    assert placed.transport.hops == given.hops


def test_a_train_waits_for_its_link_and_all_behind_it_wait_too() -> None:
    topology, machine, timing = rack()
    router = TransferRouter(topology, machine, timing)
    (part, *_) = router.parts(minimal(2**15))
    free = router.placed([part], LinkSpans(), 0).transport
    spans = LinkSpans()
    spans.take([LinkUse(part.links[0], 0, 1000)], 0)
    late = router.placed([part], spans, 0).transport
    waited = 1000 - int(free.wire_cycle[0])
    assert (late.wire_cycle - free.wire_cycle).tolist() == [waited] * len(part.links)
    assert late.duration_cycles == free.duration_cycles + waited

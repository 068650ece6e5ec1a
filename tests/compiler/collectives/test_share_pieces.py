import numpy as np
import pytest

from compiler.collectives.phases import Phase
from compiler.collectives.pieces import Pieces
from compiler.collectives.reduce_to_owners import to_owners
from compiler.collectives.share_pieces import MOST_SHARES
from compiler.routing.gateways import Gateways
from topologies.selection import select_topology

MACHINES = {"rack": (72, "auto"), "33 nodes": (40, "nodes33"), "racks": (144, "auto")}


def of(phase: Phase) -> Pieces:
    assert phase.pieces is not None
    return phase.pieces()


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("merges", [True, False])
def test_messages_are_as_long_as_the_shares_that_they_carry(
    name: str, *, merges: bool
) -> None:
    topology = select_topology(*MACHINES[name])
    chips = topology.active[: MACHINES[name][0]].astype(np.int64)
    size = np.arange(len(chips)) % 3
    for phase in to_owners(Gateways(topology, chips), chips, size, merges=merges):
        made = of(phase)
        long = np.bincount(made.message, made.last - made.first, len(phase.messages))
        if made.begin is not None and made.end is not None:
            long = made.end - made.begin
        assert long.tolist() == phase.messages.payload_bytes.tolist()


def test_shares_that_are_not_added_are_told_apart_by_their_members() -> None:
    topology = select_topology(16, "nodes33")
    chips = topology.active[:16].astype(np.int64)[::-1]
    size = np.ones(16, dtype=np.int64)
    gateways = Gateways(topology, chips)
    held = {(int(chip), n, k) for n, chip in enumerate(chips) for k in range(16)}
    for phase in to_owners(gateways, chips, size, merges=False, members=chips):
        made, sent = of(phase), phase.messages
        rows = zip(made.message.tolist(), made.part.tolist(), made.first, strict=True)
        moves = [(row, (part, int(first))) for row, part, first in rows]
        gone = {(int(sent.source[row]), *one) for row, one in moves}
        assert gone <= held
        held = held - gone | {(int(sent.target[row]), *one) for row, one in moves}
    assert held == {(int(chips[k]), n, k) for n in range(16) for k in range(16)}


def test_more_shares_than_can_be_proven_are_not_recorded() -> None:
    topology = select_topology(1_008)
    chips = topology.active.astype(np.int64)
    assert len(chips) ** 2 > MOST_SHARES
    gateways = Gateways(topology, chips)
    size = np.ones(len(chips), dtype=np.int64)
    assert all(each.pieces is None for each in to_owners(gateways, chips, size))
    few = to_owners(gateways, chips[:50], size[:50])
    assert all(each.pieces is not None for each in few)

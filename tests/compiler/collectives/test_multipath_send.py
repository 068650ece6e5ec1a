import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.collectives.stages import Algorithm
from compiler.compile_collective import CollectiveSchedule, compile_collective
from compiler.cost.link_timing import link_timing
from compiler.routing.disjoint_paths import disjoint_paths, shared_out
from compiler.verify import verify
from specs.arrays import Ints
from specs.machine import load_machine
from topologies.selection import select_topology
from topologies.topology import Topology

MACHINE = load_machine()
NODE, RACK = select_topology(8), select_topology(72)
costs = st.lists(st.integers(0, 3000), min_size=1, max_size=8).map(
    lambda each: np.array(sorted(each), dtype=np.int64)
)


def sent(
    vectors: int,
    algorithm: str = "auto",
    *,
    topology: Topology = NODE,
    most_paths: int | None = None,
) -> CollectiveSchedule:
    return compile_collective(
        topology,
        MACHINE,
        "point-to-point",
        np.array([0, topology.chips - 1]),
        payload_bytes=vectors * MACHINE.link.vector_bytes,
        algorithm=algorithm,
        most_paths=most_paths,
    )


def test_a_node_offers_the_direct_link_and_six_paths_over_the_other_chips() -> None:
    paths = disjoint_paths(NODE, link_timing(NODE, MACHINE, 30), 0, 7)
    assert [len(path.links) for path in paths] == [1, 2, 2, 2, 2, 2, 2]


@pytest.mark.parametrize("target", [7, 20, 71])
def test_paths_lead_there_and_share_no_link(target: int) -> None:
    paths = disjoint_paths(RACK, link_timing(RACK, MACHINE, 30), 0, target)
    every = [link for path in paths for link in path.links]
    assert len(set(every)) == len(every)
    for path in paths:
        chips = [0, *RACK.target[list(path.links)].tolist()]
        assert RACK.source[list(path.links)].tolist() == chips[:-1]
        assert chips[-1] == target
        assert len(set(chips)) == len(chips)


def there_cycles(fixed: Ints, share: Ints) -> int:
    hz = MACHINE.chip.clock_hz
    ends: list[int] = [
        cost + MACHINE.link.vector_offset_cycles(vectors - 1, hz)
        for cost, vectors in zip(fixed.tolist(), share.tolist(), strict=True)
        if vectors
    ]
    return max(ends)


@given(fixed=costs, vectors=st.integers(1, 400))
def test_moving_a_vector_to_another_path_never_helps(fixed: Ints, vectors: int) -> None:
    share = shared_out(MACHINE, fixed, vectors)
    assert share.sum() == vectors
    assert share.min() >= 0
    least = there_cycles(fixed, share)
    for giver in np.flatnonzero(share).tolist():
        for taker in range(len(fixed)):
            moved = share.copy()
            moved[giver] -= 1
            moved[taker] += 1
            assert there_cycles(fixed, moved) >= least


def test_small_tensors_go_straight_and_large_ones_spread() -> None:
    algorithms = [sent(vectors).algorithm for vectors in (1, 10, 40, 1000)]
    assert algorithms == 2 * [Algorithm.ONE_SHOT] + 2 * [Algorithm.SPREAD]


def test_a_forward_is_an_instruction_of_the_chip_that_is_passed() -> None:
    made = sent(1000)
    verify(made.program, NODE, MACHINE)
    forwards = made.program.instructions.opcode == 4
    assert made.program.instructions.chip[forwards].tolist() == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("most_paths", [1, 2, 5])
def test_no_more_paths_are_used_than_may_be(most_paths: int) -> None:
    made = sent(1000, "spread", most_paths=most_paths)
    assert (made.program.trains.previous < 0).sum() == most_paths


def test_spreading_pays_from_some_kilobytes_on() -> None:
    gains = [
        sent(vectors, "one-shot").latency_cycles
        - sent(vectors, "spread").latency_cycles
        for vectors in range(1, 40)
    ]
    first = next(size for size, gain in enumerate(gains, start=1) if gain > 0)
    # Published: 8 kB.
    assert 6_000 <= first * MACHINE.link.vector_bytes <= 10_000

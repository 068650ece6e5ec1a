import numpy as np
import pytest

from compiler.collectives.multipath_send import spread
from compiler.collectives.phases import Algorithm
from compiler.compile_collective import CollectiveSchedule, compile_collective
from compiler.cost.link_timing import link_timing
from compiler.ir.messages import MessageTable
from compiler.verify import verify
from specs.arrays import Ints
from specs.machine import load_machine
from topologies.selection import select_topology

MACHINE = load_machine()
NODE = select_topology(8)
TIMING = link_timing(NODE, MACHINE, 30)


def sent(
    vectors: int,
    algorithm: str = "auto",
    *,
    most_paths: int | None = None,
) -> CollectiveSchedule:
    return compile_collective(
        NODE,
        MACHINE,
        "point-to-point",
        np.array([0, NODE.chips - 1]),
        payload_bytes=vectors * MACHINE.link.vector_bytes,
        algorithm=algorithm,
        most_paths=most_paths,
    )


def sent_over(vectors: int, most_paths: int | None = None) -> MessageTable:
    (made,) = spread(
        NODE,
        MACHINE,
        TIMING,
        source=0,
        target=7,
        vectors=vectors,
        most_paths=most_paths,
    )
    assert not made.adds
    return made.messages


def path_of(messages: MessageTable) -> Ints:
    assert messages.path is not None
    return messages.path


def test_one_vector_takes_the_direct_link() -> None:
    messages = sent_over(1)
    (link,) = path_of(messages).ravel().tolist()
    assert (NODE.source[link], NODE.target[link]) == (0, 7)
    assert messages.payload_bytes.tolist() == [1]


def test_a_large_tensor_is_divided_over_the_direct_link_and_six_detours() -> None:
    messages = sent_over(1000)
    assert messages.payload_bytes.sum() == 1000
    # The direct link has no relay hop, so it carries the most.
    assert messages.payload_bytes.argmax() == 0
    hops = (path_of(messages) >= 0).sum(axis=1)
    assert hops.tolist() == [1, 2, 2, 2, 2, 2, 2]
    assert set(messages.source.tolist()) == {0}
    assert set(messages.target.tolist()) == {7}


def test_a_limit_of_paths_leaves_the_rest_to_the_cheapest() -> None:
    assert sent_over(1000, most_paths=1).payload_bytes.tolist() == [1000]
    assert len(sent_over(1000, most_paths=3)) == 3


def test_small_tensors_go_straight_and_large_ones_spread() -> None:
    algorithms = [sent(vectors).algorithm for vectors in (1, 10, 40, 1000)]
    assert algorithms == 2 * [Algorithm.ONE_SHOT] + 2 * [Algorithm.SPREAD]


def test_a_forward_is_an_instruction_of_the_chip_that_is_passed() -> None:
    made = sent(1000)
    verify(made.program, NODE, MACHINE, plan=made.plan)
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

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from compiler.bounds.congestion_bound import congestion_bound
from compiler.bounds.routed_messages import RoutedMessages
from compiler.ir.messages import MessageTable
from specs.machine import load_machine
from topologies.selection import select_topology

MACHINE = load_machine()
LINKS = congestion_bound(MACHINE, select_topology(72), 0)


def routed(messages: MessageTable) -> RoutedMessages:
    made = LINKS.routed(messages)
    assert made is not None
    return made


def test_messages_are_routed_once_for_all_payloads() -> None:
    pairs = [(0, 1), (0, 2), (8, 1), (9, 1)]
    known = routed(MessageTable.of([(a, b, 1) for a, b in pairs]))
    for size in (1, 320, 321, 64_000):
        sizes = np.array([size, 2 * size, 1, size])
        rows = [(a, b, n) for (a, b), n in zip(pairs, sizes.tolist(), strict=True)]
        assert LINKS.payload_cycles(known, sizes) == LINKS.cycles(MessageTable.of(rows))


def test_the_longest_path_is_that_of_a_single_vector() -> None:
    far = MessageTable.of([(0, 1, 320), (0, 71, 320)])
    assert routed(far).longest_cycles == LINKS.cycles(far)


@given(
    pairs=st.lists(st.tuples(st.integers(0, 7), st.integers(16, 31)), min_size=1),
    line=st.integers(1, 500),
)
def test_equal_messages_take_as_long_as_if_they_were_told_apart(
    pairs: list[tuple[int, int]], line: int
) -> None:
    rows = [(a, b, 320) for a, b in pairs]
    even = np.full(len(rows), line)
    # A shorter message in another node changes nothing.
    other = routed(MessageTable.of([*rows, (64, 65, 320)]))
    apart = other.cycles(np.append(even, line - 1), np.append(0 * even, 0))
    assert routed(MessageTable.of(rows)).cycles(even, 0 * even) == apart

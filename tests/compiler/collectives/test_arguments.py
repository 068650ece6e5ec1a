import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.collectives.arguments import checked_members, tensor_vectors
from specs.errors import ScheduleError
from specs.machine import load_machine
from topologies.selection import select_topology
from workloads.collective import Collective

MACHINE = load_machine()
NODE = select_topology(8)
IN_SHARES = ("reduce-scatter", "all-gather", "all-to-all")


def test_members_keep_their_order() -> None:
    members = checked_members(NODE, Collective.ALL_REDUCE, np.array([5, 0, 3]))
    assert members.tolist() == [5, 0, 3]


@pytest.mark.parametrize(
    ("kind", "members", "message"),
    [
        ("all-reduce", [0, 8], r"^chip 8 is not one of node: .* 0 to 7$"),
        ("all-reduce", [-1, 2], r"^chip -1 is not one of node: .* 0 to 7$"),
        ("all-gather", [3, 1, 3], r"^chip 3 is a member twice; name each chip once$"),
        ("broadcast", [4], r"^broadcast takes at least 2 chips, got 1; name more$"),
        ("point-to-point", [0, 1, 2], r"a source and a target, got 3 chips; name two$"),
    ],
)
def test_members_that_cannot_take_part_are_refused(
    kind: str, members: list[int], message: str
) -> None:
    with pytest.raises(ScheduleError, match=message):
        checked_members(NODE, Collective(kind), np.array(members))


@pytest.mark.parametrize("kind", [k for k in Collective if k not in IN_SHARES])
def test_a_whole_tensor_is_rounded_up_to_vectors(kind: Collective) -> None:
    assert tensor_vectors(MACHINE, kind, 8, 321) == 2


@pytest.mark.parametrize("kind", IN_SHARES)
def test_each_share_is_rounded_up_to_vectors(kind: str) -> None:
    # 4 shares of 81 bytes: a vector each.
    assert tensor_vectors(MACHINE, Collective(kind), 4, 321) == 4


@given(
    kind=st.sampled_from(list(Collective)),
    members=st.integers(2, 300),
    payload_bytes=st.integers(1, 10**8),
)
def test_the_vectors_hold_the_tensor_and_little_more(
    kind: Collective, members: int, payload_bytes: int
) -> None:
    vectors = tensor_vectors(MACHINE, kind, members, payload_bytes)
    size = MACHINE.link.vector_bytes
    assert payload_bytes <= vectors * size < payload_bytes + members * (size + 1)


@pytest.mark.parametrize(
    ("payload_bytes", "message"),
    [
        (0, r"^a tensor of 0 bytes holds nothing; use 1 byte or more$"),
        (10**9, r"^a tensor of 1,000,000,000 bytes exceeds the [\d,]+ bytes of SRAM"),
    ],
)
def test_a_tensor_of_no_size_or_beyond_the_sram_is_refused(
    payload_bytes: int, message: str
) -> None:
    with pytest.raises(ScheduleError, match=message):
        tensor_vectors(MACHINE, Collective.ALL_REDUCE, 8, payload_bytes)

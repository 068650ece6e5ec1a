import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from chip.dataflow import Dataflow, Function
from compiler.collectives.collective_dataflow import CollectiveDataflow
from compiler.collectives.flat_algorithms import one_shot
from compiler.compile_collective import compile_collective
from specs.machine import load_machine
from topologies.selection import select_topology
from workloads.collective import SUM, TENSOR, Collective

MACHINE, NODE = load_machine(), select_topology(8)


def flow_of(
    kind: str, size: int, algorithm: str = "auto", members: int = 4, drift_ppm: int = 50
) -> Dataflow:
    machine = MACHINE.with_settings({"clock.drift_ppm": drift_ppm})
    made = compile_collective(
        NODE,
        machine,
        kind,
        NODE.active[:members].astype(np.int64),
        payload_bytes=size,
        algorithm=algorithm,
    )
    assert made.program.dataflow is not None
    return made.program.dataflow


def test_in_one_shot_every_member_sends_its_tensor_and_adds_all() -> None:
    flow = flow_of("all-reduce", 320, "one-shot")
    assert [value.name for value in flow.values] == [TENSOR, SUM]
    sent = flow.messages.source[flow.carried.owner]
    # Chips are members, so a message carries the part of its source.
    assert flow.carried.part_first.tolist() == sent.tolist()
    assert set(flow.operations.function.tolist()) == {Function.ADD}
    assert flow.operations.chip.tolist() == [0, 1, 2, 3]
    assert set(flow.reads.part_last.tolist()) == {4}


def test_a_ring_adds_one_term_after_the_other() -> None:
    flow = flow_of("reduce-scatter", 1_280, "ring")
    partial = flow.operations.function == Function.PARTIAL_SUM
    # Four members, each of which adds three times, at last all terms.
    assert (len(partial), int(partial.sum())) == (12, 8)
    assert np.unique(flow.writes.first).tolist() == [0, 320, 640, 960]


def test_the_root_of_a_broadcast_is_sent_nothing_new() -> None:
    flow = flow_of("broadcast", 4_000, "two-step")
    assert 0 in flow.messages.target
    assert 0 not in flow.messages.target[flow.carried.owner]


@given(kind=st.sampled_from(list(Collective)), size=st.integers(1, 3_000_000))
@settings(max_examples=10, deadline=None)
def test_parts_of_a_phase_carry_together_what_the_phase_does(
    kind: Collective, size: int
) -> None:
    members = 2 if kind is Collective.POINT_TO_POINT else 4
    algorithm = "one-shot" if kind is not Collective.ALL_GATHER else "ring"
    steady, drifting = (
        flow_of(kind, size, algorithm, members, drift) for drift in (50, 2_000)
    )
    for flow in (steady, drifting):
        carried = int((flow.carried.last - flow.carried.first).sum())
        assert carried == int(flow.messages.payload_bytes.sum())


# Members in another order than their numbers.
CHIPS = np.array([4, 7, 2])


def one_phase(kind: Collective) -> CollectiveDataflow:
    """Return the dataflow of a tensor of six bytes that is sent in one phase."""
    return CollectiveDataflow(kind, one_shot(kind, CHIPS, 6), CHIPS)


def test_messages_of_a_piece_carry_their_range_of_bytes_alone() -> None:
    flow = one_phase(Collective.ALL_REDUCE)
    # Of six messages, the second has no bytes in this piece, the third only two.
    begin, end = np.full(6, 1), np.array([4, 1, 3, 4, 4, 4])
    entry = flow.carried(0, begin, end)
    assert entry is not None
    assert entry.carried is not None
    (tensor,) = entry.carried()
    assert tensor.value == TENSOR
    # Rows are those of the messages that are left.
    assert tensor.member.tolist() == [0, 1, 2, 3, 4]
    assert tensor.first.tolist() == [1] * 5
    assert tensor.last.tolist() == [4, 3, 4, 4, 4]
    # Members 0, 1, 1, 2 and 2 send what is theirs.
    assert tensor.part_first.tolist() == [0, 1, 1, 2, 2]


def test_members_add_up_what_has_arrived_with_their_own() -> None:
    entry = one_phase(Collective.ALL_REDUCE).added(0)
    assert entry is not None
    assert entry.chips.tolist() == CHIPS.tolist()
    assert entry.operations is not None
    ((_, function, (terms,), (total,)),) = entry.operations()
    assert function is Function.ADD
    assert (terms.value, total.value) == (TENSOR, SUM)
    assert terms.member.tolist() == total.member.tolist() == [0, 1, 2]
    assert (terms.part_last.tolist(), total.part_last.tolist()) == ([3] * 3, [1] * 3)
    assert (total.first.tolist(), total.last.tolist()) == ([0] * 3, [6] * 3)


def test_nothing_is_added_up_where_each_slice_is_of_one_member() -> None:
    flow = one_phase(Collective.ALL_TO_ALL)
    added = flow.added(0)
    assert added is not None
    assert added.operations is not None
    assert added.operations() == ()
    sent = flow.carried(0, np.zeros(6, dtype=np.int64), np.full(6, 2))
    assert sent is not None
    assert sent.carried is not None
    (slices,) = sent.carried()
    # To the second and third member, to the first and third, to the first and second.
    assert slices.first.tolist() == [2, 4, 0, 4, 0, 2]
    assert slices.part_first.tolist() == [0, 0, 1, 1, 2, 2]


def test_phases_whose_pieces_are_not_known_state_nothing() -> None:
    (phase,) = one_shot(Collective.ALL_REDUCE, CHIPS, 6)
    silent = phase._replace(pieces=None)
    flow = CollectiveDataflow(Collective.ALL_REDUCE, (silent,), CHIPS)
    assert flow.carried(0, np.zeros(6, dtype=np.int64), np.full(6, 6)) is None
    assert flow.added(0) is None

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from chip.dataflow import Dataflow, Function
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

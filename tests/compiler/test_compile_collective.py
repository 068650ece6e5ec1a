from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chip.program import Opcode
from compiler.collectives.phases import Algorithm
from compiler.compile_collective import CollectiveSchedule, compile_collective
from compiler.hazard_rules.memory import check_waiting
from compiler.verify import verify
from fabric.replay import replay
from fabric.simulation import simulate
from specs.errors import ScheduleError, VerificationError
from specs.machine import MachineSpec, load_machine
from topologies.selection import select_topology
from topologies.topology import Topology
from workloads.collective import Collective

MACHINE = load_machine()
IDEAL = MACHINE.with_settings({"clock.drift_ppm": 0, "link.jitter_cycles": 0})
NODE, RACK, TWO = (select_topology(chips) for chips in (8, 72, 144))
NODES33 = select_topology(264, "nodes33")


def compiled(
    topology: Topology = NODE,
    machine: MachineSpec = MACHINE,
    kind: str = "all-reduce",
    *,
    chips: int = 8,
    payload_bytes: int = 16_384,
    algorithm: str = "auto",
) -> CollectiveSchedule:
    members = topology.active[:chips].astype(np.int64)
    return compile_collective(
        topology,
        machine,
        kind,
        members,
        payload_bytes=payload_bytes,
        algorithm=algorithm,
    )


@given(
    topology=st.sampled_from([NODE, RACK, TWO]),
    kind=st.sampled_from(list(Collective)),
    chips=st.integers(2, 16),
    payload_bytes=st.integers(1, 100_000),
    drift_ppm=st.sampled_from([0, 50, 200]),
)
@settings(max_examples=30)
def test_whatever_is_compiled_is_certified_and_runs_alike_in_both_engines(
    topology: Topology,
    kind: Collective,
    chips: int,
    payload_bytes: int,
    drift_ppm: int,
) -> None:
    machine = MACHINE.with_settings({"clock.drift_ppm": drift_ppm})
    members = 2 if kind is Collective.POINT_TO_POINT else min(chips, topology.chips)
    made = compiled(topology, machine, kind, chips=members, payload_bytes=payload_bytes)
    verify(made.program, topology, machine, plan=made.plan)
    ran = simulate(made.program, topology, machine, seed=1, tokens=2)
    assert ran.underflows == ran.overflows == 0
    again = replay(made.program, topology, machine, seed=1, tokens=2)
    assert again.trajectory_hash == ran.trajectory_hash


@pytest.mark.parametrize(
    ("topology", "chips", "algorithm"),
    [
        (RACK, 72, "ring"),
        *(
            (topology, chips, algorithm)
            for topology, chips in ((RACK, 72), (NODES33, 256), (TWO, 144))
            for algorithm in ("auto", "one-shot", "two-step", "hierarchical")
        ),
    ],
)
def test_on_ideal_clocks_the_run_takes_what_the_schedule_says(
    topology: Topology, chips: int, algorithm: str
) -> None:
    made = compiled(
        topology, IDEAL, chips=chips, payload_bytes=50_000, algorithm=algorithm
    )
    verify(made.program, topology, IDEAL, plan=made.plan)
    (row,) = replay(made.program, topology, IDEAL, seed=1, tokens=1).iterations
    expected_ps = made.latency_cycles * 10**12 // IDEAL.chip.clock_hz
    assert abs(row.end_ps - row.start_ps - expected_ps) <= 1


@given(kind=st.sampled_from(list(Collective)), payload_bytes=st.integers(1, 300_000))
@settings(max_examples=20)
def test_the_fastest_is_picked(kind: Collective, payload_bytes: int) -> None:
    chips = 2 if kind is Collective.POINT_TO_POINT else 16
    picked = compiled(RACK, kind=kind, chips=chips, payload_bytes=payload_bytes)
    for algorithm in list(Algorithm)[1:]:
        try:
            other = compiled(
                RACK,
                kind=kind,
                chips=chips,
                payload_bytes=payload_bytes,
                algorithm=algorithm,
            )
        except ScheduleError:
            # It does not apply.
            continue
        # A guard of a cycle more or less a hop is all that a first guess may miss.
        hops = sum(picked.timeline.stage_hops)
        assert picked.latency_cycles <= other.latency_cycles + 2 * hops


def test_small_tensors_go_in_one_shot_and_large_ones_in_two_steps() -> None:
    sizes = (320, 1_000_000)
    made = [compiled(payload_bytes=size).algorithm for size in sizes]
    assert made == [Algorithm.ONE_SHOT, Algorithm.TWO_STEP]


def test_the_reason_names_the_choice_and_all_that_was_beaten() -> None:
    reason = compiled().reason
    assert reason.startswith("two-step takes ")
    assert "one-shot" in reason
    assert "ring at least" in reason


def test_vectors_are_counted_once_and_vector_hops_on_every_link() -> None:
    made = compiled(RACK, chips=72, algorithm="one-shot", payload_bytes=640)
    assert made.vectors == 72 * 71 * 2
    assert made.vector_hops == int(made.program.trains.vectors.sum())
    assert made.vector_hops > made.vectors


def test_what_takes_longer_than_crystals_allow_is_cut_and_deskewed_between() -> None:
    made = compiled(payload_bytes=100_000_000)
    deskews = made.program.deskews
    assert len(deskews) > NODE.chips
    assert made.latency_cycles > deskews.interval_cycles
    verify(made.program, NODE, MACHINE, plan=made.plan)
    ran = replay(made.program, NODE, MACHINE, seed=1, tokens=1)
    assert ran.underflows == ran.overflows == 0


def test_a_set_deskew_interval_is_kept() -> None:
    machine = MACHINE.with_settings({"deskew.interval_epochs": 12})
    made = compiled(machine=machine, payload_bytes=1_000_000)
    assert made.program.deskews.interval_cycles == 12 * MACHINE.hac.epoch_cycles
    verify(made.program, NODE, machine, plan=made.plan)


def test_network_time_leaves_out_additions_and_deskews() -> None:
    made = compiled()
    spent = made.timeline.spent
    assert made.network_cycles == spent.link + spent.guard + spent.fec + spent.wait
    assert spent.total == made.latency_cycles


def test_operands_that_exceed_the_sram_are_found_by_the_verifier() -> None:
    made = compiled(payload_bytes=1_000_000)
    small = MACHINE.model_copy(
        update={"chip": MACHINE.chip.model_copy(update={"sram_bytes": 2_200_000})}
    )
    assert (
        verify(made.program, NODE, MACHINE, plan=made.plan).checks["operands fit"] > 0
    )
    with pytest.raises(VerificationError, match=r"^operands exceed the SRAM: chip 1 "):
        verify(made.program, NODE, small, plan=made.plan)


def test_vectors_that_wait_to_be_passed_on_must_fit_too() -> None:
    made = compiled(
        NODES33,
        kind="all-to-all",
        chips=264,
        payload_bytes=264 * 16 * 320,
        algorithm="hierarchical",
    )
    assert made.form == "cut-through"
    trains, topology = made.program.trains, NODES33
    onward = np.flatnonzero(trains.previous >= 0)
    through = topology.source[trains.link[onward]]
    code = made.program.instructions
    lasting = np.empty(len(trains), dtype=np.int64)
    sends = np.isin(code.opcode, (Opcode.SEND, Opcode.FORWARD))
    lasting[code.train[sends]] = code.duration_cycles[sends]
    comes = trains.receive_cycle[trains.previous[onward]]
    goes = trains.wire_cycle[onward] + lasting[onward]
    chip = int(np.bincount(through).argmax())
    here = through == chip
    most = max(
        int(((comes[here] <= now) & (goes[here] > now)).sum()) * 16 * 320
        for now in np.unique(comes[here]).tolist()
    )
    # Every train has 16 vectors, and all chips are alike.
    assert check_waiting(made.program, MACHINE, 2 * most) == len(onward)
    with pytest.raises(VerificationError, match=r"^what waits to be passed on exceeds"):
        check_waiting(made.program, MACHINE, most - 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "all-reduction"}, r"^no collective 'all-reduction'; did you mean"),
        ({"algorithm": "rings"}, r"^no algorithm 'rings'; did you mean 'ring'"),
        ({"payload_bytes": 0}, r"^a tensor of 0 bytes holds nothing"),
        ({"payload_bytes": 10**9}, r"^a tensor of 1,000,000,000 bytes exceeds the "),
        (
            {"payload_bytes": 150_000_000, "algorithm": "one-shot"},
            r"what arrives to be added to it take 1,\d+,\d+,\d+ bytes of a chip",
        ),
        ({"chips": 1}, r"^all-reduce takes at least 2 chips, got 1; name more$"),
        (
            {"kind": "point-to-point"},
            r"^a point-to-point message has a source and a target, got 8 chips",
        ),
        (
            {"kind": "all-gather", "algorithm": "two-step"},
            r"^all-gather has no two-step algorithm",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(
    change: dict[str, object], message: str
) -> None:
    options: dict[str, object] = {"chips": 8, **change}
    with pytest.raises(ScheduleError, match=message):
        compiled(**options)  # type: ignore[arg-type]


def test_an_interval_too_short_for_one_vector_is_refused() -> None:
    machine = MACHINE.with_settings({"deskew.interval_epochs": 1})
    with pytest.raises(ScheduleError, match=r"and 0 are left between two deskews; use"):
        compiled(machine=machine)


def test_members_are_chips_of_the_machine_named_once() -> None:
    for members, message in (
        ([0, 8], r"^chip 8 is not one of node: chips are numbered 0 to 7$"),
        ([3, 1, 3], r"^chip 3 is a member twice; name each chip once$"),
    ):
        with pytest.raises(ScheduleError, match=message):
            compile_collective(
                NODE, MACHINE, "all-reduce", np.array(members), payload_bytes=1
            )


def test_members_that_are_not_all_linked_have_no_hierarchy() -> None:
    with pytest.raises(
        ScheduleError, match=r"^no hierarchical broadcast among these 2"
    ):
        compile_collective(
            RACK,
            MACHINE,
            "broadcast",
            np.array([0, 20]),
            payload_bytes=1,
            algorithm="hierarchical",
        )


def test_more_messages_than_memory_holds_are_refused() -> None:
    whole = select_topology(10_440)
    with pytest.raises(ScheduleError, match=r"takes 217,966,\d+ messages, .* hierarch"):
        compiled(whole, chips=10_440, algorithm="two-step")
    with pytest.raises(ScheduleError, match=r"has 108,993,600 pairs, .* 1,414 chips"):
        compiled(whole, kind="all-to-all", chips=10_440)


def test_a_train_that_is_moved_onto_another_is_found() -> None:
    made = compiled()
    program = made.program
    # The second stage of a chip's port starts while the first is still on it.
    row = int(np.flatnonzero(program.instructions.train >= 0)[0])
    start = program.instructions.start_cycle.copy()
    start[row] = program.instructions.start_cycle[row] + 1
    code = replace(program.instructions, start_cycle=start)
    with pytest.raises(VerificationError, match=r"a train: on link"):
        verify(replace(program, instructions=code), NODE, MACHINE)

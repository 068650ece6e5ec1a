from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chip.sram_occupancy import activation_changes, held_over_time
from compiler.compile_graph import compile_workload, with_dataflow
from compiler.cost.graph_roofline import critical_path_bound
from compiler.ir.schedule import WorkloadSchedule
from compiler.verify import verify
from fabric.replay import replay
from fabric.simulation import simulate
from sharding.parallelism.grid import Grid
from sharding.workloads.workload_planner import plan_workload
from specs.errors import ScheduleError
from specs.machine import MachineSpec, load_machine
from topologies.selection import select_topology
from workloads.graphs.workload import load_workload

MACHINE = load_machine()
NODE = select_topology(8)
RACK = select_topology(72)


def scheduled(
    name: str, grid: Grid, machine: MachineSpec = MACHINE
) -> WorkloadSchedule:
    wiring = NODE if grid.chips <= NODE.chips else RACK
    chips = wiring.active.astype(np.int64)
    return compile_workload(
        plan_workload(load_workload(name), machine, grid, chips), wiring
    )


@given(
    st.sampled_from(["mlp", "lstm-step", "gemm:40x50x60:gathered", "lstm:64:fp16"]),
    st.integers(1, 6),
    st.integers(1, 6),
    st.integers(1, 2),
)
@settings(max_examples=25)
def test_every_split_is_proven_and_above_its_bound(
    name: str, column: int, row: int, pipeline: int
) -> None:
    # Of these, only a perceptron has operators that may be apart.
    stages = pipeline if name == "mlp" else 1
    schedule = scheduled(name, Grid(column=column, row=row, pipeline=stages))
    verify(schedule.program, schedule.topology, MACHINE, plan=schedule.plan)
    assert schedule.lower_bound_cycles <= schedule.latency_cycles
    assert critical_path_bound(schedule.plan) <= schedule.latency_cycles
    assert schedule.breakdown.total == schedule.latency_cycles


@pytest.mark.parametrize("name", ["mlp", "lstm:512"])
@pytest.mark.parametrize(
    "grid", [Grid(column=1, row=1), Grid(column=4, row=2)], ids=str
)
def test_both_engines_take_the_scheduled_cycles_on_ideal_clocks(
    name: str, grid: Grid
) -> None:
    ideal = MACHINE.with_settings(
        {"clock.model": "ideal", "link.jitter_cycles": 0, "link.ber": 0.0}
    )
    schedule = scheduled(name, grid, ideal)
    runs = [
        engine(schedule.program, schedule.topology, ideal, seed=1, tokens=3)
        for engine in (simulate, replay)
    ]
    assert runs[0].trajectory_hash == runs[1].trajectory_hash
    hz = MACHINE.chip.clock_hz
    for row in runs[0].iterations:
        assert row.end_ps - row.start_ps == pytest.approx(
            schedule.latency_cycles * 1e12 / hz, abs=1
        )


@pytest.mark.parametrize(("size", "published"), [(512, 670), (1024, 1958)])
def test_a_step_of_an_lstm_takes_what_was_measured(size: int, published: int) -> None:
    schedule = scheduled(f"lstm:{size}", Grid(column=1, row=1))
    assert schedule.latency_cycles == pytest.approx(published, rel=0.002)


def test_a_chip_on_its_own_neither_sends_nor_deskews() -> None:
    schedule = scheduled("mlp", Grid(column=1, row=1))
    assert len(schedule.program.trains) == len(schedule.program.deskews) == 0
    assert schedule.breakdown.compute == schedule.latency_cycles


def test_weights_of_the_next_product_load_ahead_but_none_before_the_first() -> None:
    plain = MACHINE.with_settings({"chip.prefetch": False})
    for name, names in (("lstm:1024", set()), ("mlp", {"down"})):
        with_loads, without = (
            scheduled(name, Grid(column=1, row=1), machine)
            for machine in (MACHINE, plain)
        )
        entries = {e.operator: e.name for e in with_loads.timeline.entries}
        assert names <= {entries[load.operator] for load in with_loads.timeline.loads}
        assert (with_loads.latency_cycles < without.latency_cycles) == bool(names)


def test_tensors_keep_their_places_and_what_is_received_lies_beside_them() -> None:
    alone = scheduled("mlp", Grid(column=1, row=1))
    held = held_over_time(activation_changes(alone.program, MACHINE))
    assert held.bytes.max(initial=0) == 0
    kept = alone.program.resident
    # The parts of the first product, and what the second reads of them, in FP16.
    assert kept.activations[0] == 2 * 2 * 16 * 4096
    assert kept.weights[0] == 2 * 1024 * 4096 + 1024
    split = scheduled("mlp", Grid(column=2, row=2))
    held = held_over_time(activation_changes(split.program, MACHINE))
    # Of the first product three quarters come from other chips, 16 x 4,096 in FP16.
    assert held.bytes.max() >= 2 * 16 * 4096 * 3 // 4


def test_twice_the_columns_of_a_product_take_nearly_half_the_time() -> None:
    one, two, eight = (
        scheduled("gemm:2304x4480x2560", Grid(column=n, row=1)).latency_cycles
        for n in (1, 2, 8)
    )
    assert one / two == pytest.approx(2, rel=0.01)
    assert one / eight == pytest.approx(8, rel=0.01)


def test_an_exchange_longer_than_drift_allows_goes_in_pieces() -> None:
    schedule = scheduled("gemm:4000x4000x4000", Grid(column=1, row=2))
    sums = [e for e in schedule.timeline.entries if e.name == "gemm sums"]
    assert len(sums) == 2
    verify(schedule.program, NODE, MACHINE, plan=schedule.plan)
    sent = schedule.program.trains.vectors.sum()
    # Half of 4,000 x 4,000 sums in FP16 each way, 320 bytes at a time.
    assert sent == 2 * 4000 * 4000 * 2 // 2 // 320


def test_an_interval_without_room_for_a_vector_is_refused() -> None:
    short = MACHINE.with_settings({"deskew.interval_epochs": 3})
    with pytest.raises(ScheduleError, match=r"use a longer deskew\.interval_epochs"):
        scheduled("gemm:64x64x64", Grid(column=1, row=2), short)


@pytest.mark.parametrize(
    "grid", [Grid(column=2, row=3), Grid(column=8, row=1)], ids=str
)
def test_a_program_states_what_each_operator_and_message_is_for(grid: Grid) -> None:
    program = scheduled("mlp", grid).program
    flow = program.dataflow
    assert flow is not None
    assert set(flow.names) == {"norm", "up", "activate", "down"}
    sent = np.bincount(flow.train_message, minlength=len(flow.messages))
    assert (sent > 0).all()
    assert set(flow.carried.owner.tolist()) == set(range(len(flow.messages)))


def test_a_phase_in_pieces_is_one_message_of_each_pair_of_chips() -> None:
    # Eight megabytes take far longer than drift allows between two deskews.
    machine = MACHINE.with_settings({"clock.drift_ppm": 400})
    program = scheduled("gemm:4000x64x4000:gathered", Grid(column=4, row=1), machine)
    flow = program.program.dataflow
    assert flow is not None
    assert len(flow.messages) == 3
    operators = program.program.instructions.operator
    assert len(np.unique(operators[operators >= 0])) > 2
    first = program.program.trains.previous < 0
    vectors = np.bincount(
        flow.train_message[first], program.program.trains.vectors[first]
    )
    assert vectors.tolist() == (-(-flow.messages.payload_bytes // 320)).tolist()


def test_a_schedule_that_is_given_its_dataflow_later_states_the_same() -> None:
    grid = Grid(column=2, row=1)
    plan = plan_workload(load_workload("mlp"), MACHINE, grid, np.arange(2))
    silent = compile_workload(plan, NODE, stated=False)
    assert silent.program.dataflow is None
    given = with_dataflow(silent)
    stated = compile_workload(plan, NODE).program.dataflow
    assert given.program.dataflow is not None
    assert stated is not None
    assert given.program.dataflow.names == stated.names
    assert given.program.dataflow.values == stated.values
    for name in ("reads", "writes", "carried"):
        one, other = (getattr(f, name) for f in (given.program.dataflow, stated))
        assert one.first.tolist() == other.first.tolist()
        assert one.last.tolist() == other.last.tolist()
    # Nothing else of the schedule is another.
    assert given.timeline is silent.timeline
    assert given.program.instructions is silent.program.instructions
    verify(given.program, given.topology, MACHINE, plan=plan)


def test_chips_pause_to_deskew_within_operators_that_leave_no_gap(
    tmp_path: Path,
) -> None:
    # In 5,063 cycles such crystals drift half an epoch; a stage of 20 products takes
    # longer, and its chip sends nothing until the end.
    tensors = [("t0", "input"), *((f"t{n}", "activation") for n in range(1, 40))]
    lines = ['name = "chain"']
    for name, role in [*tensors, ("t40", "output")]:
        lines += [f'[[tensors]]\nname = "{name}"\nrole = "{role}"\nrows = 4']
        lines += ["columns = 320"]
    lines += ['[[tensors]]\nname = "w"\nrole = "weights"\nrows = 320\ncolumns = 320']
    for n in range(40):
        lines += [f'[[operators]]\nkind = "matmul"\nname = "m{n}"\nleft = "t{n}"']
        lines += [f'right = "w"\noutput = "t{n + 1}"']
    chain = tmp_path / "chain.toml"
    chain.write_text("\n".join(lines))
    machine = MACHINE.with_settings(
        {"clock.drift_ppm": 12_000, "link.fifo_vectors": 64}
    )
    schedule = scheduled(str(chain), Grid(column=1, row=1, pipeline=2), machine)
    assert max(schedule.timeline.stage_cycles) > 5_063
    assert schedule.breakdown.deskew >= 2 * 252
    verify(schedule.program, NODE, machine, plan=schedule.plan)

import ast
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chip.program import Deskews, Instructions, Opcode, Program, Slice
from compiler.compile_decode import compile_token
from compiler.ir.schedule import Schedule
from compiler.verify import Certificate, digest, verify
from specs.arrays import Ints
from specs.errors import VerificationError
from specs.machine import MachineSpec
from topologies.outage import NO_OUTAGE, Outage

Compile = Callable[..., Schedule]


@pytest.fixture(scope="module")
def good(compiled: Compile) -> Schedule:
    """Return a program with forwarded trains: not all of these chips are neighbours."""
    return compiled(3, 4, sequences=2)


def machine_of(schedule: Schedule) -> MachineSpec:
    return schedule.plan.task.machine


def refused(schedule: Schedule, program: Program, match: str) -> None:
    with pytest.raises(VerificationError, match=match):
        verify(program, schedule.topology, machine_of(schedule))


def with_code(program: Program, row: int, **values: int) -> Program:
    """Return the program with some columns of one instruction changed."""
    columns = {name: getattr(program.instructions, name).copy() for name in values}
    for name, value in values.items():
        columns[name][row] = value
    return replace(program, instructions=replace(program.instructions, **columns))


def moved(program: Program, train: int, *, wire: int = 0, receive: int = 0) -> Program:
    """Return the program with one train sent and received so many cycles later."""
    trains = replace(
        program.trains,
        wire_cycle=program.trains.wire_cycle.copy(),
        receive_cycle=program.trains.receive_cycle.copy(),
    )
    trains.wire_cycle[train] += wire
    trains.receive_cycle[train] += receive
    code = program.instructions
    start = code.start_cycle.copy()
    receives = code.opcode == Opcode.RECEIVE
    start[(code.train == train) & receives] += receive
    start[(code.train == train) & ~receives] += wire
    return replace(
        program, trains=trains, instructions=replace(code, start_cycle=start)
    )


def without_row(code: Instructions, row: int) -> Instructions:
    names = code.__slots__
    return replace(code, **{n: np.delete(getattr(code, n), row) for n in names})


def with_deskews(program: Program, chip: Ints, start: Ints) -> Program:
    deskews: Deskews = replace(
        program.deskews, chip=chip.astype(np.int32), start_cycle=start
    )
    return replace(program, deskews=deskews)


def forwarded_train(program: Program) -> int:
    return int(np.flatnonzero(program.trains.previous >= 0)[0])


def test_a_good_program_is_certified_with_all_that_was_tried(good: Schedule) -> None:
    certificate = verify(good.program, good.topology, machine_of(good), plan=good.plan)
    assert certificate.digest == digest(good.program)
    assert min(certificate.checks.values()) > 0
    total = sum(certificate.checks.values())
    assert str(certificate) == f"{certificate.digest} ({total:,} checks)"
    assert isinstance(certificate, Certificate)


@pytest.mark.parametrize(
    ("tensor", "pipeline", "topology"),
    [
        (1, 1, "auto"),
        (1, 2, "auto"),
        (8, 9, "auto"),
        (8, 33, "nodes33"),
        (8, 72, "auto"),
    ],
)
def test_what_is_compiled_holds_on_machines_of_any_size(
    compiled: Compile, tensor: int, pipeline: int, topology: str
) -> None:
    schedule = compiled(tensor, pipeline, topology=topology)
    verify(
        schedule.program,
        schedule.topology,
        machine_of(schedule),
        plan=schedule.plan,
    )


def test_the_rules_share_no_code_with_what_makes_programs() -> None:
    root = Path(__file__).parents[2]
    seen: set[str] = set()
    ahead = ["compiler.verify"]
    while ahead:
        module = ahead.pop()
        seen.add(module)
        path = root / f"{module.replace('.', '/')}.py"
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            names = []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            ahead += [n for n in names if n.startswith("compiler") and n not in seen]
            ours = [n for n in names if n.split(".")[0] in {"sharding", "chip"}]
            # Of sharding the plan as a value, and the names of tensors in its table.
            assert set(ours) <= {
                "chip.dataflow",
                "chip.element_numbering",
                "chip.program",
                "chip.sram_occupancy",
                "chip.functional_units",
                "chip.operator_work",
                "sharding.workloads.workload_plan",
                "sharding.planner.plan",
                "sharding.weights.task",
                "sharding.weights.tensor_names",
            }
    rooms = {name.rpartition(".")[0] for name in seen}
    assert rooms == {
        "compiler",
        "compiler.hazard_rules",
        "compiler.dataflow_rules",
        "compiler.dataflow_rules.graphs",
        "compiler.dataflow_rules.collectives",
        "compiler.dataflow_rules.experts",
        "compiler.dataflow_rules.head",
        "compiler.dataflow_rules.latent",
        "compiler.dataflow_rules.linear",
        "compiler.dataflow_rules.weights",
    }
    assert {name for name in seen if name.count(".") == 1} == {"compiler.verify"}


def test_a_program_that_computes_nothing_is_no_proof_of_a_model(good: Schedule) -> None:
    marks = np.flatnonzero(good.program.instructions.opcode == Opcode.MARK)
    columns = {
        name: getattr(good.program.instructions, name)[marks]
        for name in good.program.instructions.__slots__
    }
    trains = {
        name: getattr(good.program.trains, name)[:0]
        for name in good.program.trains.__slots__
    }
    empty = replace(
        good.program,
        instructions=replace(good.program.instructions, **columns),
        trains=replace(good.program.trains, **trains),
        dataflow=None,
    )
    with pytest.raises(VerificationError, match="states nothing that it computes"):
        verify(empty, good.topology, machine_of(good), plan=good.plan)


def test_a_receive_a_cycle_earlier_may_underflow(good: Schedule) -> None:
    refused(
        good,
        moved(good.program, 0, receive=-1),
        r"underflow: link \d+ \(chip \d+ to \d+\): train 0 is received at cycle \d+ "
        r"but may come as late as \d+; widen the guard by 1 cycles",
    )


def test_two_sends_at_a_time_on_a_link_are_refused(good: Schedule) -> None:
    trains = good.program.trains
    link = int(np.flatnonzero(np.bincount(trains.link) > 1)[0])
    first, second = np.flatnonzero(trains.link == link)[:2].tolist()
    shift = int(trains.wire_cycle[first] - trains.wire_cycle[second]) + 1
    refused(
        good,
        moved(good.program, second, wire=shift, receive=shift),
        r"a slice is used twice: chip \d+ C2C_\w+ port \d+ is busy until cycle \d+ and "
        r"starts again at cycle \d+",
    )


def test_a_forward_must_start_where_the_hop_before_ends(good: Schedule) -> None:
    trains = good.program.trains
    train = forwarded_train(good.program)
    link = trains.link[trains.previous[train]]
    elsewhere = np.flatnonzero(
        good.topology.target[trains.link] != good.topology.target[link]
    )
    previous = trains.previous.copy()
    previous[train] = elsewhere[0]
    refused(
        good,
        replace(good.program, trains=replace(trains, previous=previous)),
        rf"a route is broken: train {train} on link \d+ starts at chip \d+ at cycle",
    )


def test_a_forward_must_not_leave_before_it_has_passed_the_chip(good: Schedule) -> None:
    train = forwarded_train(good.program)
    refused(
        good,
        moved(good.program, train, wire=-30, receive=-30),
        rf"a forward is early: train {train} enters link \d+ at cycle \d+",
    )


def test_a_chip_that_leaves_out_its_deskews_is_refused(good: Schedule) -> None:
    deskews = good.program.deskews
    kept = deskews.chip != deskews.chip[0]
    program = with_deskews(
        good.program, deskews.chip[kept].astype(np.int64), deskews.start_cycle[kept]
    )
    match = rf"a deskew is missing: chip {deskews.chip[0]} uses a link at cycle \d+"
    refused(good, program, match)


def test_a_program_without_any_deskew_is_refused(good: Schedule) -> None:
    none = np.zeros(0, dtype=np.int64)
    program = with_deskews(good.program, none, none)
    refused(good, program, r"a deskew is missing: chip \d+ uses a link at cycle \d+")


@pytest.mark.parametrize("into", [-251, -1, 0, 1])
def test_a_deskew_must_not_meet_work(good: Schedule, into: int) -> None:
    code, deskews = good.program.instructions, good.program.deskews
    work = (code.opcode == Opcode.MATMUL) & (code.chip == deskews.chip[0])
    start = deskews.start_cycle.copy()
    at = int(code.start_cycle[np.flatnonzero(work)[0]])
    start[0] = (at + into) % good.program.period_cycles
    refused(
        good,
        with_deskews(good.program, deskews.chip.astype(np.int64), start),
        rf"a deskew stalls work: chip {deskews.chip[0]} is busy at cycle \d+",
    )


def test_two_deskews_of_a_chip_must_not_overlap(compiled: Compile) -> None:
    idle = compiled(1, 8)
    deskews = idle.program.deskews
    # The last chip waits a whole pipeline long: there is room long before its work.
    start = np.append(deskews.start_cycle, deskews.start_cycle[-1] - 100)
    chip = np.append(deskews.chip, deskews.chip[-1]).astype(np.int64)
    refused(
        idle,
        with_deskews(idle.program, chip, start),
        r"two deskews overlap: chip \d+ deskews at cycle \d+ and 100 cycles later",
    )


def test_deskews_too_far_apart_are_misread(good: Schedule) -> None:
    # Of so short an epoch, even the error of the counters is half.
    machine = machine_of(good).with_settings({"hac.epoch_cycles": 8})
    with pytest.raises(
        VerificationError,
        match=r"a deskew is misread: chip \d+ deskews \d+ cycles after cycle \d+",
    ):
        verify(good.program, good.topology, machine)


def test_a_train_must_leave_by_the_port_of_its_link(good: Schedule) -> None:
    code = good.program.instructions
    row = int(np.flatnonzero(code.opcode == Opcode.SEND)[0])
    port = int(code.port[row]) + 1
    refused(
        good,
        with_code(good.program, row, port=port),
        rf"wrong port: chip {code.chip[row]} port {port} is not an end of link \d+ "
        r"\(cycle \d+\)",
    )


def test_an_instruction_must_be_where_its_train_says(good: Schedule) -> None:
    code = good.program.instructions
    row = int(np.flatnonzero(code.opcode == Opcode.RECEIVE)[-1])
    at = int(code.start_cycle[row])
    refused(
        good,
        with_code(good.program, row, start_cycle=at + 5),
        rf"on link \d+ is received at cycle {at + 5}, but says {at}",
    )


def test_a_train_must_be_sent_in_full(good: Schedule) -> None:
    code = good.program.instructions
    row = int(np.flatnonzero(code.opcode == Opcode.SEND)[0])
    refused(
        good,
        with_code(good.program, row, duration_cycles=1),
        r"a train is cut short: on link \d+ \d+ vectors are sent at cycle \d+ in 1 "
        r"cycles, but take \d+",
    )


@pytest.mark.parametrize(
    ("opcode", "what"), [(Opcode.SEND, "sent"), (Opcode.RECEIVE, "received")]
)
def test_a_train_must_be_sent_and_received_once(
    good: Schedule, opcode: Opcode, what: str
) -> None:
    code = good.program.instructions
    row = int(np.flatnonzero(code.opcode == opcode)[0])
    program = replace(good.program, instructions=without_row(code, row))
    refused(good, program, f"a train: is not {what} exactly once")


def test_an_operator_must_wait_for_what_it_needs(good: Schedule) -> None:
    code = good.program.instructions
    row = int(np.flatnonzero(code.opcode == Opcode.VECTOR)[-1])
    at = int(code.start_cycle[row])
    refused(
        good,
        with_code(good.program, row, start_cycle=at - 1),
        rf"an operand is late: chip {code.chip[row]} starts operator \d+ at cycle "
        rf"{at - 1} but what it needs is there at {at}",
    )


def test_a_slice_does_one_thing_at_a_time(good: Schedule) -> None:
    code = good.program.instructions
    rows = np.flatnonzero((code.slice == Slice.VXM) & (code.chip == code.chip[0]))
    program = with_code(
        good.program, int(rows[1]), start_cycle=int(code.start_cycle[rows[0]])
    )
    refused(good, program, rf"a slice is used twice: chip {code.chip[0]} VXM")


def test_a_fifo_too_shallow_is_refused_with_the_depth_that_would_do(
    good: Schedule,
) -> None:
    machine = machine_of(good).with_settings({"link.fifo_vectors": 1})
    with pytest.raises(
        VerificationError, match=r"overflow: link \d+: \d+ vectors"
    ) as e:
        verify(good.program, good.topology, machine)
    match = re.search(r"at cycle \d+.*set link.fifo_vectors to (\d+)", str(e.value))
    assert match
    assert int(match[1]) > 1


def test_program_text_must_fit(good: Schedule) -> None:
    machine = machine_of(good).with_settings({"chip.program_reserve_bytes": 100})
    with pytest.raises(
        VerificationError, match=r"chip \d+ needs [\d,]+ bytes and reserves 100; raise"
    ):
        verify(good.program, good.topology, machine)


@pytest.mark.parametrize(
    ("setting", "value", "refusal"),
    [
        ("link.jitter_cycles", 60, "underflow: link"),
        ("clock.drift_ppm", 5000, "underflow: link"),
        ("hac.tracking_error_counts", 9, "underflow: link"),
        # A vector takes a twentieth longer on the wire.
        ("fec.code", "rs544", "a train is cut short: .* 24 cycles, but take 25"),
    ],
)
def test_a_program_made_for_a_better_machine_is_refused(
    good: Schedule, setting: str, value: object, refusal: str
) -> None:
    machine = machine_of(good).with_settings({setting: value})
    with pytest.raises(VerificationError, match=refusal):
        verify(good.program, good.topology, machine)


def test_the_digest_tells_programs_apart(good: Schedule) -> None:
    other = moved(good.program, 0, receive=1)
    assert digest(other) != digest(good.program)
    assert digest(replace(good.program)) == digest(good.program)


def test_an_instruction_on_a_dead_chip_is_refused(good: Schedule) -> None:
    chip = good.program.leader
    outage = Outage(chips=frozenset({chip}))
    with pytest.raises(
        VerificationError, match=f"out of order: chip {chip} has an instruction at"
    ):
        verify(good.program, good.topology, machine_of(good), outage)


def test_a_train_on_a_dead_link_is_refused(good: Schedule) -> None:
    trains = good.program.trains
    link, cycle = int(trains.link[3]), int(trains.wire_cycle[3])
    first = int(np.flatnonzero(trains.link == link)[0])
    outage = Outage(links=frozenset({link, link ^ 1}))
    with pytest.raises(VerificationError, match="out of order: link ") as refused:
        verify(good.program, good.topology, machine_of(good), outage)
    assert first == 3
    assert f"link {link} carries train 3 at cycle {cycle}" in str(refused.value)


def test_a_program_compiled_around_an_outage_holds_under_it(compiled: Compile) -> None:
    # Six of eight chips of a node are used; two may be out of order.
    schedule = compiled(2, 3, topology="rack")
    usual = schedule.program
    spare = next(
        link
        for link in usual.trains.link.tolist()
        if {schedule.topology.source[link], schedule.topology.target[link]} == {0, 1}
    )
    outage = Outage(chips=frozenset({6, 70}), links=frozenset({spare, spare ^ 1}))
    around = compile_token(schedule.plan, schedule.topology, outage)
    certificate = verify(
        around.program, schedule.topology, machine_of(schedule), outage
    )
    assert certificate.digest != digest(usual)
    assert certificate.checks["what is out of order does nothing"] > 0
    assert not np.isin(around.program.trains.link, [spare, spare ^ 1]).any()
    same = compile_token(schedule.plan, schedule.topology, NO_OUTAGE)
    assert digest(same.program) == digest(usual)


def test_the_hash_of_a_program_covers_its_numbers_and_no_name(good: Schedule) -> None:
    kinds = good.program.kinds
    unnamed: Any = tuple(
        (tuple(kind.work), tuple(tuple(step) for step in kind.steps)) for kind in kinds
    )
    renamed = replace(good.program, kinds=unnamed)
    assert digest(renamed) == digest(good.program)
    assert digest(replace(good.program, kinds=kinds[:-1])) != digest(good.program)

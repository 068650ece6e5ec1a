import numpy as np

from chip.lowering import lower
from chip.operator_work import VectorWork, adding
from chip.program import Instructions, Opcode, Slice
from compiler.cost.link_timing import link_timing
from compiler.ir.messages import MessageTable
from compiler.ir.program_emission import Emitted, emit
from compiler.ir.timeline import (
    ComputeEntry,
    LoadEntry,
    Timeline,
    TimelineEntry,
    TransportEntry,
)
from compiler.ir.transfers import CycleBreakdown, Transport
from compiler.routing.message_scheduler import MessageScheduler
from sharding.operators.operators import Unit
from specs.machine import load_machine
from topologies.routing.static_routes import Routes
from topologies.selection import select_topology

MACHINE = load_machine()
NODE = select_topology(8)
LINKS = MessageScheduler(NODE, MACHINE, Routes(NODE), link_timing(NODE, MACHINE, 30))
# Two vectors from chip 0 to chip 1.
PHASE = LINKS.transport(MessageTable.of([(0, 1, 640)]))
SMALL, LARGE = adding(8, 16, 2), adding(800, 16, 2)


def emitted(
    *entries: TimelineEntry, loads: tuple[LoadEntry, ...] = (), cycles: int = 9_000
) -> Emitted:
    timeline = Timeline(
        entries=entries,
        loads=loads,
        spent=CycleBreakdown(compute=cycles),
        stage_cycles=(cycles,),
        stage_hops=(0,),
        trains=0,
    )
    return emit(timeline, NODE, MACHINE.chip, leader=0)


def added(start: int, operator: int, *works: VectorWork) -> ComputeEntry:
    chips = np.arange(len(works), dtype=np.int64)
    return ComputeEntry(start, operator, "add", Unit.VECTOR, chips, works, chips + 50)


def sent(start: int, operator: int, transport: Transport = PHASE) -> TransportEntry:
    return TransportEntry(start, operator, "send", transport)


def rows(code: Instructions, *names: str) -> list[tuple[int, ...]]:
    return list(zip(*(getattr(code, name).tolist() for name in names), strict=True))


def test_an_empty_timeline_is_marked_at_its_start_and_its_end() -> None:
    code = emitted(cycles=700).instructions
    assert rows(code, "chip", "slice", "opcode", "start_cycle", "duration_cycles") == [
        (0, Slice.ICU, Opcode.MARK, 0, 0),
        (0, Slice.ICU, Opcode.MARK, 700, 0),
    ]


def test_a_computation_is_an_instruction_on_each_chip() -> None:
    code = emitted(added(100, 4, SMALL, LARGE)).instructions
    vector = code.opcode == Opcode.VECTOR
    columns = ("chip", "slice", "start_cycle", "duration_cycles", "operator", "kind")
    assert np.array(rows(code, *columns))[vector].tolist() == [
        [0, Slice.VXM, 100, 50, 4, 0],
        [1, Slice.VXM, 100, 51, 4, 1],
    ]


def test_equal_works_share_a_kind_and_are_lowered_once() -> None:
    made = emitted(added(0, 0, LARGE, SMALL), added(100, 1, SMALL, LARGE))
    assert [kind.work for kind in made.kinds] == [LARGE, SMALL]
    assert [kind.steps for kind in made.kinds] == [
        lower(MACHINE.chip, LARGE),
        lower(MACHINE.chip, SMALL),
    ]


def test_a_product_reads_its_weights_until_the_pipeline_only_drains() -> None:
    fill = MACHINE.chip.matmul_fill_cycles
    chip, cycles = np.array([3]), np.array([fill + 10])
    code = emitted(
        ComputeEntry(0, 0, "product", Unit.MATMUL, chip, (SMALL,), cycles)
    ).instructions
    taken = dict(zip(code.slice.tolist(), code.duration_cycles.tolist(), strict=True))
    assert (taken[Slice.MEM], taken[Slice.MXM]) == (10, fill + 10)


def test_a_prefetch_keeps_the_memory_of_its_chips_busy() -> None:
    chips = np.array([2, 5])
    load = LoadEntry(40, 7, chips, (SMALL, SMALL), np.array([3, 4]))
    code = emitted(loads=(load,)).instructions
    loads = code.opcode == Opcode.LOAD
    columns = ("chip", "slice", "start_cycle", "duration_cycles", "operator")
    assert np.array(rows(code, *columns))[loads].tolist() == [
        [2, Slice.MEM, 40, 3, 7],
        [5, Slice.MEM, 40, 4, 7],
    ]


def test_a_train_is_sent_and_received_at_the_ports_of_its_link() -> None:
    made = emitted(sent(1_000, 6))
    (link,) = made.trains.link.tolist()
    wire, receive = 1_000 + PHASE.wire_cycle.item(), 1_000 + PHASE.receive_cycle.item()
    assert (made.trains.wire_cycle.item(), made.trains.receive_cycle.item()) == (
        wire,
        receive,
    )
    code = made.instructions
    columns = ("chip", "port", "opcode", "start_cycle", "train", "operator")
    assert np.array(rows(code, *columns))[code.train >= 0].tolist() == [
        [0, NODE.source_port[link], Opcode.SEND, wire, 0, 6],
        [1, NODE.target_port[link], Opcode.RECEIVE, receive, 0, 6],
    ]


def test_a_phase_that_recurs_has_trains_of_its_own_each_time() -> None:
    # One hop, then a relay hop of the same two vectors.
    relayed = Transport(
        link=np.repeat(PHASE.link, 2),
        vectors=np.repeat(PHASE.vectors, 2),
        wire_cycle=np.array([0, 500]),
        receive_cycle=np.array([300, 800]),
        previous=np.array([-1, 0]),
        message=np.array([0, 0]),
        serialisation_cycles=np.repeat(PHASE.serialisation_cycles, 2),
        spent=CycleBreakdown(link=900),
        hops=2,
    )
    made = emitted(sent(0, 0, relayed), sent(1_000, 1, relayed))
    assert made.trains.previous.tolist() == [-1, 0, -1, 2]
    assert made.trains.wire_cycle.tolist() == [0, 500, 1_000, 1_500]
    code = made.instructions
    forwards = code.opcode == Opcode.FORWARD
    assert code.train[forwards].tolist() == [1, 3]
    assert code.operator[forwards].tolist() == [0, 1]

import numpy as np
import pytest

from chip.operator_work import VectorWork
from compiler.ir.messages import MessageTable
from compiler.ir.timeline import ComputeEntry
from compiler.ir.transfers import CycleBreakdown, Transport, trainless
from compiler.routing.modulo_reservation_table import ModuloReservationTable
from compiler.scheduling.schedule_builder import ScheduleBuilder
from sharding.operators.operators import Compute, Unit
from specs.arrays import Ints
from specs.errors import ScheduleError
from specs.machine import load_machine

CHIP = load_machine().chip
PAIR = np.array([0, 1])
STALL = 10


class BytesAsCycles:
    """A transfer model in which a phase lasts as many cycles as it has bytes."""

    def transport(self, messages: MessageTable) -> Transport:
        return trainless(int(messages.payload_bytes.sum()))


class OneTrain:
    """A transfer model in which every phase is a train of 20 cycles on link 7."""

    def transport(self, _: MessageTable) -> Transport:
        one: Ints = np.ones(1, dtype=np.int64)
        return Transport(
            link=7 * one,
            vectors=one,
            wire_cycle=0 * one,
            receive_cycle=20 * one,
            previous=-one,
            message=0 * one,
            serialisation_cycles=20 * one,
            spent=CycleBreakdown(link=20),
            hops=1,
        )


def builder(interval_cycles: int = 0) -> ScheduleBuilder:
    return ScheduleBuilder(
        BytesAsCycles(),
        chip=CHIP,
        stall_cycles=STALL,
        interval_cycles=interval_cycles,
        check=lambda _: None,
    )


def phase(cycles: int) -> MessageTable:
    return MessageTable.of([(0, 1, cycles)])


def vector(*cycles: int) -> Compute:
    work = VectorWork(1, 1, 1, 1)
    taken = np.array(cycles)
    return Compute("vector", Unit.VECTOR, (work,) * len(cycles), taken, taken)


def test_each_entry_starts_where_the_one_before_ends() -> None:
    made = builder()
    made.send("first", phase(100))
    made.compute(vector(30, 20), PAIR)
    made.send("second", phase(50))
    assert [(e.start_cycle, e.operator, e.name) for e in made.entries] == [
        (0, 0, "first"),
        (100, 1, "vector"),
        (130, 2, "second"),
    ]
    assert made.spent == CycleBreakdown(compute=30, link=150)
    assert made.now == 180


def test_a_phase_without_messages_and_an_operator_without_work_leave_no_entry() -> None:
    made = builder()
    made.send("nothing", MessageTable.of([]))
    made.compute(vector(0, 0), PAIR)
    assert made.entries == []
    assert made.now == 0


def test_a_chip_without_a_part_in_an_operator_is_left_out() -> None:
    made = builder()
    made.compute(vector(0, 9), PAIR)
    (entry,) = made.entries
    assert isinstance(entry, ComputeEntry)
    assert (entry.chips.tolist(), entry.cycles.tolist()) == ([1], [9])
    assert len(entry.works) == 1


def test_chips_deskew_before_a_phase_that_would_end_beyond_the_interval() -> None:
    made = builder(interval_cycles=200)
    made.send("within", phase(150))
    made.send("beyond", phase(150))
    # The deskew of cycle 0 serves until 200, the next one starts at 150.
    assert [entry.start_cycle for entry in made.entries] == [0, 160]
    assert made.deskewed_cycle == 150
    assert made.spent == CycleBreakdown(link=300, deskew=STALL)


def test_a_phase_that_ends_with_the_interval_needs_no_deskew() -> None:
    made = builder(interval_cycles=200)
    made.send("first", phase(100))
    made.send("second", phase(100))
    assert made.spent == CycleBreakdown(link=200)


def test_a_phase_must_fit_into_the_interval_with_its_deskew() -> None:
    builder(interval_cycles=200).send("just fits", phase(190))
    with pytest.raises(
        ScheduleError, match=r"long takes 191 cycles, more than the 200"
    ):
        builder(interval_cycles=200).send("long", phase(191))


def test_without_an_interval_nobody_deskews() -> None:
    made = builder()
    made.deskew()
    made.send("long", phase(10**6))
    assert made.spent.deskew == 0


def test_a_phase_waits_until_another_train_has_left_its_link() -> None:
    reservations = ModuloReservationTable(1_000, {7})
    made = ScheduleBuilder(
        OneTrain(),
        chip=CHIP,
        stall_cycles=STALL,
        interval_cycles=0,
        check=lambda _: None,
        reservations=reservations,
    )
    reservations.take(OneTrain().transport(phase(1)), 5)
    made.send("one", phase(1))
    # The other train is on the link from 5 to 25, and so is this one from 25 to 45.
    assert made.entries[0].start_cycle == 25
    assert made.spent == CycleBreakdown(wait=25, link=20)
    again = reservations.wait_cycles(OneTrain().transport(phase(1)), 25)
    assert again == 20
    assert (made.hops, made.trains) == (1, 1)


def test_the_trains_so_far_are_checked_after_each_phase() -> None:
    seen: list[int] = []
    made = ScheduleBuilder(
        OneTrain(), chip=CHIP, stall_cycles=STALL, interval_cycles=0, check=seen.append
    )
    made.send("one", phase(1))
    made.send("two", phase(1))
    assert seen == [1, 2]

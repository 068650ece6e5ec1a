import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chip.program import Resident
from compiler.collectives.exchange_selection import ExchangeSelector
from compiler.collectives.phases import Phase, adding_up, phase
from compiler.cost.link_timing import hop_cycles, link_timing
from compiler.ir.timeline import ComputeEntry, TransportEntry
from compiler.routing.message_scheduler import MessageScheduler
from compiler.scheduling.collective_timeline import (
    CollectiveTimeline,
    collective_program,
    collective_timeline,
    deskews_of,
)
from specs.errors import ScheduleError
from specs.machine import load_machine
from topologies.routing.static_routes import Routes
from topologies.selection import select_topology

MACHINE = load_machine()
NODE = select_topology(8)
GUARD = 30
TRANSFERS = MessageScheduler(
    NODE, MACHINE, Routes(NODE), link_timing(NODE, MACHINE, GUARD)
)
EPOCH = MACHINE.hac.epoch_cycles
HOP = hop_cycles(MACHINE, 1) + GUARD


def message(vectors: int = 1, *, adds: bool = False) -> Phase:
    """Return the phase in which chip 0 sends to chip 1."""
    (made,) = phase(np.array([0]), np.array([1]), vectors, adds=adds)
    return made.scaled(MACHINE.link.vector_bytes)


def scheduled(*phases: Phase, interval: int = 0) -> CollectiveTimeline:
    return collective_timeline(
        ExchangeSelector(MACHINE, TRANSFERS),
        MACHINE,
        TRANSFERS,
        phases,
        chips=np.array([0, 1]),
        interval_cycles=interval,
    )


def test_a_phase_takes_a_hop_and_its_guard() -> None:
    assert TRANSFERS.transport(message().messages).duration_cycles == HOP


def test_phases_follow_each_other() -> None:
    timeline = scheduled(message(), message()).timeline
    assert [entry.start_cycle for entry in timeline.entries] == [0, HOP]
    assert timeline.token_cycles == 2 * HOP
    assert (timeline.trains, timeline.stage_hops) == (2, (2,))


def test_a_reduction_is_followed_by_its_addition() -> None:
    made = message(adds=True)
    timeline = scheduled(made).timeline
    sent, added = timeline.entries
    assert isinstance(sent, TransportEntry)
    assert isinstance(added, ComputeEntry)
    assert (sent.name, added.name) == ("phase 0", "add_up")
    assert added.start_cycle == HOP
    assert added.chips.tolist() == [1]
    cycles = int(adding_up(MACHINE, made).cycles[0])
    assert timeline.token_cycles == HOP + cycles
    assert timeline.spent.compute == cycles


def test_a_deskew_comes_first_and_again_once_the_interval_would_be_exceeded() -> None:
    # After a deskew two phases fit into the interval.
    interval = EPOCH + 2 * HOP
    made = scheduled(*[message()] * 3, interval=interval)
    assert made.deskew_cycles == (0, interval)
    starts = [entry.start_cycle for entry in made.timeline.entries]
    assert starts == [EPOCH, EPOCH + HOP, interval + EPOCH]
    assert made.timeline.spent.deskew == 2 * EPOCH


def vectors_sent(made: CollectiveTimeline) -> list[int]:
    return [
        int(entry.transport.vectors.sum())
        for entry in made.timeline.entries
        if isinstance(entry, TransportEntry)
    ]


def test_a_phase_is_cut_into_parts_that_fit_between_deskews() -> None:
    # Serialisation is rounded up to a cycle for each part.
    part = hop_cycles(MACHINE, 4) + GUARD
    made = scheduled(message(8), interval=EPOCH + part + 2)
    assert vectors_sent(made) == [4, 4]
    assert made.deskew_cycles == (0, EPOCH + part)


@given(vectors=st.integers(1, 500), room=st.integers(HOP + 30, 5 * HOP))
@settings(max_examples=30)
def test_the_parts_of_a_phase_are_all_of_it_and_nearly_equal(
    vectors: int, room: int
) -> None:
    parts = vectors_sent(scheduled(message(vectors), interval=EPOCH + room))
    assert sum(parts) == vectors
    assert max(parts) - min(parts) <= 1


def test_messages_that_wait_for_one_link_are_cut_into_parts_too() -> None:
    # Nine messages of 40 vectors take 8,500 cycles one after the other.
    (made,) = phase(np.zeros(9, int), np.ones(9, int), 40)
    parts = vectors_sent(
        scheduled(made.scaled(MACHINE.link.vector_bytes), interval=EPOCH + 3_000)
    )
    assert len(parts) > 2
    assert sum(parts) == 9 * 40


def test_an_interval_too_short_for_one_vector_is_refused() -> None:
    with pytest.raises(ScheduleError, match=r"and 10 are left between two deskews;"):
        scheduled(message(), interval=EPOCH + 10)


def test_all_chips_at_the_links_deskew_and_no_others() -> None:
    made = scheduled(message(), interval=10 * EPOCH)
    deskews = deskews_of(made, NODE, interval_cycles=10 * EPOCH, stall_cycles=EPOCH)
    assert deskews.chip.tolist() == [0, 1]
    assert deskews.start_cycle.tolist() == [0, 0]
    assert (deskews.interval_cycles, deskews.stall_cycles) == (10 * EPOCH, EPOCH)


def test_the_program_of_a_collective_repeats_when_it_ends() -> None:
    made = scheduled(message(), interval=10 * EPOCH)
    columns = np.zeros((len(Resident._fields), NODE.chips), dtype=np.int64)
    program = collective_program(
        made,
        NODE,
        MACHINE,
        leader=1,
        resident=Resident(*columns),
        interval_cycles=10 * EPOCH,
        guard_cycles=GUARD,
    )
    assert program.period_cycles == program.token_cycles == EPOCH + HOP
    assert (program.leader, program.guard_cycles, program.sequences) == (1, GUARD, 1)
    assert len(program.trains) == 1
    assert program.deskews.chip.tolist() == [0, 1]
    assert program.dataflow is None

from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.cost.link_timing import LinkTiming, link_timing
from compiler.ir.messages import MessageTable
from compiler.ir.timeline import ComputeEntry, LoadEntry, Timeline, TransportEntry
from compiler.ir.transfers import CycleBreakdown, Transport
from compiler.prefill.chunk_scheduler import ScheduledChunks, schedule_chunks
from compiler.prefill.chunk_steps import (
    entry_cycles,
    one_at_a_time_cycles,
    stage_steps,
    stage_work,
)
from compiler.routing.message_scheduler import MessageScheduler
from sharding.operators.operators import Unit
from specs.machine import MachineSpec, load_machine
from topologies.routing.static_routes import Routes
from topologies.selection import select_topology
from topologies.topology import Topology

ONE = np.ones(1, dtype=np.int64)
# Two stages of two chips.
STAGES = [np.array([0, 1]), np.array([2, 3])]


@cache
def node() -> tuple[Topology, MachineSpec, LinkTiming]:
    topology, machine = select_topology(4, "auto"), load_machine()
    return topology, machine, link_timing(topology, machine, 20)


@cache
def sent(source: int, target: int) -> Transport:
    """Return the transfer of a vector from one chip to another."""
    topology, machine, timing = node()
    scheduler = MessageScheduler(topology, machine, Routes(topology), timing)
    return scheduler.transport(MessageTable.of([(source, target, 1)]))


# Cycles of every transfer here.
SENT = sent(0, 1).duration_cycles


def part(
    *steps: int | str | ComputeEntry, loads: tuple[LoadEntry, ...] = ()
) -> Timeline:
    """Return the timeline of a chunk: operators by their cycles, transfers by name."""
    entries: list[ComputeEntry | TransportEntry] = []
    now = stage = trains = 0
    for step in steps:
        if isinstance(step, str):
            ends = (2 * stage, 2 * stage + 2 if step == "hand_over" else 2 * stage + 1)
            stage += step == "hand_over"
            trains += 1
            entries.append(TransportEntry(now, len(entries), step, sent(*ends)))
        elif isinstance(step, int):
            cycles = step * ONE
            entries.append(
                ComputeEntry(now, len(entries), "work", Unit.VECTOR, ONE, (), cycles)
            )
        else:
            entries.append(step._replace(start_cycle=now, operator=len(entries)))
        now += entry_cycles(entries[-1])
    return Timeline(
        entries=tuple(entries),
        loads=loads,
        spent=CycleBreakdown(compute=now),
        stage_cycles=(now,) * (stage + 1),
        stage_hops=(1,) * (stage + 1),
        trains=trains,
    )


def scheduled(parts: Sequence[Timeline], together: int = 3) -> ScheduledChunks:
    topology, machine, timing = node()
    return schedule_chunks(
        parts,
        topology=topology,
        machine=machine,
        timing=timing,
        stages=STAGES,
        interval_cycles=0,
        together=together,
    )


def starts(made: ScheduledChunks) -> list[int]:
    return [entry.start_cycle for entry in made.timeline.entries]


def test_a_chunk_alone_stays_as_it_is() -> None:
    alone = part(100, "hand_over", 50)
    made = scheduled([alone])
    assert made.starts == (0,)
    assert made.timeline is alone


def test_a_stage_computes_one_chunk_at_a_time() -> None:
    made = scheduled([part(100)] * 3)
    assert made.starts == tuple(starts(made)) == (0, 100, 200)
    assert made.timeline.spent == CycleBreakdown(compute=100, wait=200)
    assert made.timeline.stage_cycles == (300,)
    assert [entry.operator for entry in made.timeline.entries] == [0, 1, 2]


def test_a_stage_computes_a_chunk_while_another_exchanges() -> None:
    made = scheduled([part(100, "gather", 60)] * 2)
    # The second gather waits for the first, since they share a link.
    second = 100 + SENT
    assert starts(made) == [0, 100, 100 + SENT, 100, second, second + SENT]
    assert made.timeline.token_cycles == second + SENT + 60


def test_a_chunk_waits_rather_than_to_delay_an_older_one_for_long() -> None:
    long = 4 * SENT
    made = scheduled([part(long, "gather", 60)] * 2)
    # To start with the exchange would delay the first chunk by three quarters of it.
    assert starts(made)[3] == long + SENT + 60


def test_a_stage_alone_with_a_chunk_takes_the_next_when_it_has_left() -> None:
    made = scheduled([part(100, "hand_over", 50)] * 2, together=1)
    left = 100 + SENT
    assert made.starts == (0, left)
    assert starts(made)[:3] == [0, 100, left]


@pytest.mark.parametrize("together", [1, 2])
def test_a_transfer_waits_until_the_next_stage_may_hold_another_chunk(
    together: int,
) -> None:
    slow = 10_000
    made = scheduled([part(100, "hand_over", slow)] * 4, together)
    moves = [entry for entry in made.timeline.entries if entry.name == "hand_over"]
    ends = [
        entry.start_cycle + slow
        for entry in made.timeline.entries
        if isinstance(entry, ComputeEntry) and entry_cycles(entry) == slow
    ]
    assert all(
        move.start_cycle >= end
        for move, end in zip(moves[together:], ends[:-together], strict=True)
    )
    assert moves[together].start_cycle == ends[0]


def test_a_chunk_of_other_steps_waits_until_the_one_before_has_left() -> None:
    made = scheduled([part(100, "gather", 60), part(100, "gather", 60, "gather", 60)])
    assert made.starts == (0, 100 + SENT + 60)


def test_chunks_may_end_before_a_stage_that_only_the_last_one_reaches() -> None:
    made = scheduled([part(100), part(100), part(100, "hand_over", 50)])
    # The last one has a transfer more, and so is not like those before.
    assert starts(made) == [0, 100, 200, 300, 300 + SENT]
    assert made.timeline.token_cycles == 350 + SENT


def loaded(cycles: int, alone_cycles: int) -> ComputeEntry:
    """Return a product that takes longer without the weights loaded ahead."""
    made = ComputeEntry(0, 0, "product", Unit.MATMUL, ONE, (), cycles * ONE)
    return made._replace(alone=made._replace(cycles=alone_cycles * ONE))


@pytest.mark.parametrize(("free", "loads"), [(60, 2), (20, 0)])
def test_weights_load_ahead_only_while_no_other_matrix_is_read(
    free: int, loads: int
) -> None:
    # The matrix of the other chunk is read until so long before the second product,
    # whose weights load for 40 cycles.
    cycles = SENT - free
    first = ComputeEntry(0, 0, "product", Unit.MATMUL, ONE, (), cycles * ONE)
    load = LoadEntry(cycles + SENT - 40, 2, ONE, (), 40 * ONE)
    chunk = part(first, "gather", loaded(60, 100), loads=(load,))
    made = scheduled([chunk, chunk]).timeline
    products = [each for each in made.entries if isinstance(each, ComputeEntry)]
    lengths = [entry_cycles(each) for each in products]
    assert len(made.loads) == lengths.count(60) >= loads
    assert lengths[1] == (60 if loads else 100)
    for each in made.loads:
        assert each.start_cycle == made.entries[each.operator].start_cycle - 40
        for product in products:
            end = product.start_cycle + entry_cycles(product)
            before = end <= each.start_cycle
            assert before or product.start_cycle >= each.start_cycle + 40


def test_steps_of_a_stage_end_with_the_transfer_out_of_it() -> None:
    stages = stage_steps(part(100, "gather", 60, "hand_over", 50))
    assert [[step.cycles for step in steps] for steps in stages] == [
        [100, SENT, 60, SENT],
        [50],
    ]
    assert [stage_work(steps) for steps in stages] == [(160, SENT), (50, 0)]


@given(
    chunks=st.lists(
        st.lists(st.integers(1, 5_000), min_size=2, max_size=2), min_size=1, max_size=6
    )
)
def test_a_stage_that_holds_one_chunk_takes_as_long_as_they_work_at_least(
    chunks: list[list[int]],
) -> None:
    parts = [part(a, "gather", a, "hand_over", b) for a, b in chunks]
    # The first chunk answers nothing, and ends in the first stage.
    parts.insert(0, part(100))
    least = one_at_a_time_cycles(parts)
    assert least <= scheduled(parts, together=1).timeline.token_cycles
    first = [100, *(2 * a + SENT for a, _ in chunks)]
    second = [b for _, b in chunks]
    assert least == max(sum(first) + second[-1], 100 + sum(second))

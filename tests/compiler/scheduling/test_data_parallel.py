from collections.abc import Callable

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from chip.operator_work import LoadWork, VectorWork
from compiler.ir.schedule import Schedule
from compiler.ir.timeline import ComputeEntry, LoadEntry, Timeline
from compiler.ir.transfers import CycleBreakdown
from compiler.scheduling.data_parallel import (
    earliest_start,
    merge_replicas,
    merge_timelines,
    replica_outage,
)
from compiler.verify import verify
from sharding.operators.operators import Unit
from sharding.parallelism.strategy import Strategy
from sharding.planner.plan import plan_sharding
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import load_model
from topologies.outage import NO_OUTAGE, Outage
from topologies.selection import select_topology

Compile = Callable[..., Schedule]


def test_replicas_on_whole_nodes_disturb_nobody(compiled: Compile) -> None:
    alone = compiled(8, 1, topology="rack")
    nine = compiled(8, 1, data=9, topology="rack")
    assert nine.latency_cycles == alone.latency_cycles
    assert len(nine.program.trains) == 9 * len(alone.program.trains)


def test_replicas_that_share_links_wait_for_each_other(compiled: Compile) -> None:
    # Eight of nine nodes of a rack: replicas on two racks have no other path.
    schedule = compiled(16, 4, data=9, topology="dragonfly", sequences=3)
    alone = compiled(16, 4, topology="dragonfly", sequences=3)
    starts = [e.start_cycle for e in schedule.timeline.entries if e.name == "embed"]
    assert starts == [0] * 9
    assert schedule.breakdown.wait > alone.breakdown.wait
    assert schedule.latency_cycles < 2 * alone.latency_cycles
    verify(schedule.program, schedule.topology, schedule.plan.task.machine)


def test_vectors_of_a_replica_pass_no_chip_of_another(compiled: Compile) -> None:
    # Paths between the nodes of a rack may lead through another rack, but need not.
    schedule = compiled(8, 9, data=8, topology="dragonfly")
    rack = schedule.topology.rack
    trains = schedule.program.trains
    ends = rack[schedule.topology.source[trains.link]]
    assert (ends == rack[schedule.topology.target[trains.link]]).all()
    starts = [e.start_cycle for e in schedule.timeline.entries if e.name == "embed"]
    assert starts == [0] * 8


@given(
    held=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 40), st.integers(1, 9))),
    own=st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 20), st.integers(1, 9)), min_size=1
    ),
    first=st.integers(0, 9),
)
def test_a_start_is_the_earliest_at_which_no_port_is_used_twice(
    held: list[tuple[int, int, int]], own: list[tuple[int, int, int]], first: int
) -> None:
    def uses(rows: list[tuple[int, int, int]]) -> NDArray[np.int64]:
        table = np.array(rows, dtype=np.int64).reshape(-1, 3).T
        return np.array([table[0], table[1], table[1] + table[2]])

    def meets(start: int) -> bool:
        return any(
            port == other and begin < b + start + n and b + start < begin + length
            for port, begin, length in held
            for other, b, n in own
        )

    found = earliest_start(uses(held), uses(own), first)
    assert found == next(start for start in range(first, 100) if not meets(start))


def test_replicas_whose_deskews_are_in_the_way_start_further_apart(
    compiled: Compile,
) -> None:
    # Five groups of three on two nodes: vectors of one pass the chips of another.
    schedule = compiled(3, 1, data=5)
    verify(schedule.program, schedule.topology, schedule.plan.task.machine)
    assert np.ptp([entry.operator for entry in schedule.timeline.entries]) == (
        len(schedule.timeline.entries) - 1
    )


def test_every_entry_of_every_replica_has_its_own_number(compiled: Compile) -> None:
    schedule = compiled(8, 3, data=3, topology="rack")
    numbers = [entry.operator for entry in schedule.timeline.entries]
    # A product beside an exchange is numbered behind it.
    assert sorted(numbers) == list(range(len(numbers)))
    code = schedule.program.instructions
    assert set(code.operator[code.operator >= 0].tolist()) == set(numbers)


VECTOR = VectorWork(1, 8, 1, 1)


def timeline(cycles: int, *, operators: int = 1) -> Timeline:
    """Return operators of so many cycles, one after the other, on one chip."""
    one = np.ones(1, dtype=np.int64)
    return Timeline(
        entries=tuple(
            ComputeEntry(
                n * cycles, n, "work", Unit.VECTOR, one, (VECTOR,), cycles * one
            )
            for n in range(operators)
        ),
        loads=(LoadEntry(3, 0, one, (LoadWork(1, 1, 1),), one),),
        spent=CycleBreakdown(compute=cycles * operators),
        stage_cycles=(cycles * operators,),
        stage_hops=(operators,),
        trains=operators,
    )


def test_merged_timelines_keep_their_distances_from_their_own_starts() -> None:
    merged = merge_timelines([timeline(50, operators=2), timeline(40)], [0, 30])
    assert [(e.start_cycle, e.operator) for e in merged.entries] == [
        (0, 0),
        (50, 1),
        (30, 2),
    ]
    assert [(e.start_cycle, e.operator) for e in merged.loads] == [(3, 0), (33, 2)]
    assert merged.stage_cycles == (100, 40)
    assert merged.stage_hops == (2, 1)
    assert merged.trains == 3


def test_the_start_of_the_timeline_that_ends_last_counts_as_waiting() -> None:
    first = merge_timelines([timeline(100), timeline(40)], [0, 30])
    assert first.spent == CycleBreakdown(compute=100)
    second = merge_timelines([timeline(50), timeline(40)], [0, 30])
    assert second.spent == CycleBreakdown(compute=40, wait=30)


def test_replicas_that_share_no_port_start_together_or_so_far_apart_as_asked(
    compiled: Compile,
) -> None:
    schedule = compiled(2, 1)
    chip = schedule.plan.task.machine.chip
    alone = [timeline(50), timeline(50)]
    for apart, start in ((0, 0), (7, 7)):
        merged = merge_replicas(alone, schedule.topology, chip, apart_cycles=apart)
        assert [entry.start_cycle for entry in merged.entries] == [0, start]


def test_a_single_replica_stays_as_it_is(compiled: Compile) -> None:
    schedule = compiled(2, 1)
    alone, chip = schedule.timeline, schedule.plan.task.machine.chip
    merged = merge_replicas([alone], schedule.topology, chip, apart_cycles=9)
    assert merged is alone


def test_replicas_on_the_same_ports_start_one_after_the_other(
    compiled: Compile,
) -> None:
    schedule = compiled(2, 1)
    alone, chip = schedule.timeline, schedule.plan.task.machine.chip
    merged = merge_replicas([alone] * 2, schedule.topology, chip, apart_cycles=0)
    half = len(alone.entries)
    starts = [entry.start_cycle for entry in merged.entries]
    assert starts[half] - starts[0] == merged.spent.wait > 0


def test_a_replica_keeps_off_the_chips_of_all_others(compiled: Compile) -> None:
    schedule = compiled(8, 1, data=9, topology="rack")
    broken = Outage(links=frozenset({0}))
    around = replica_outage(schedule.plan, 1, schedule.topology, broken)
    assert around.chips == frozenset(range(72)) - frozenset(range(8, 16))
    assert around.links == broken.links


def test_a_replica_that_others_cut_in_two_may_pass_their_chips() -> None:
    # The corners of a cube, of which 0 and 7 are opposite: every path between them
    # leads through chips of other replicas. Corners 0 and 1 share an edge.
    topology = select_topology(8, "torus")
    strategy = Strategy(tensor=2, pipeline=1, data=4)
    task = Task(load_model("gpt2"), load_machine(), 2, 16, 1)
    plan = plan_sharding(task, strategy, np.array([0, 7, 1, 6, 2, 5, 3, 4]))
    assert replica_outage(plan, 0, topology, NO_OUTAGE) is NO_OUTAGE
    side = plan_sharding(task, strategy, np.arange(8))
    assert replica_outage(side, 0, topology, NO_OUTAGE).chips == set(range(2, 8))

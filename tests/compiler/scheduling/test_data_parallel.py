from collections.abc import Callable

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from compiler.ir.schedule import Schedule
from compiler.scheduling.data_parallel import earliest_start
from compiler.verify import verify

Compile = Callable[..., Schedule]


def test_replicas_on_whole_nodes_disturb_nobody(compiled: Compile) -> None:
    alone = compiled(8, 1, topology="rack")
    nine = compiled(8, 1, data=9, topology="rack")
    assert nine.latency_cycles == alone.latency_cycles
    assert len(nine.program.trains) == 9 * len(alone.program.trains)


def test_replicas_that_share_wires_take_turns_on_them(compiled: Compile) -> None:
    # Eight of nine nodes of a rack: replicas with nodes of two racks have no other way.
    schedule = compiled(16, 4, data=9, topology="dragonfly", sequences=3)
    alone = compiled(16, 4, topology="dragonfly", sequences=3)
    starts = [e.start_cycle for e in schedule.timeline.entries if e.name == "embed"]
    assert starts == [0] * 9
    assert schedule.breakdown.wait > alone.breakdown.wait
    assert schedule.latency_cycles < 2 * alone.latency_cycles
    verify(schedule.program, schedule.topology, schedule.plan.task.machine)


def test_vectors_of_a_replica_pass_no_chip_of_another(compiled: Compile) -> None:
    # Ways between the nodes of a rack may lead through another rack, but need not.
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
    assert numbers == list(range(len(numbers)))
    code = schedule.program.instructions
    assert set(code.operator[code.operator >= 0].tolist()) == set(numbers)

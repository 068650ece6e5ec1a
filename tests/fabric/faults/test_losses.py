from collections.abc import Callable

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from compiler.ir.schedule import Schedule
from fabric.faults.fault_script import NEVER, Outages
from fabric.faults.losses import Losses

Compile = Callable[..., Schedule]


def losses_of(
    schedule: Schedule, *, stop: dict[int, int], dead: dict[int, int]
) -> Losses:
    topology = schedule.topology
    stop_cycle = np.full(topology.chips, NEVER)
    dead_cycle = np.full(len(topology.source), NEVER)
    for chip, cycle in stop.items():
        stop_cycle[chip] = cycle
    for link, cycle in dead.items():
        dead_cycle[link] = cycle
    out = Outages(stop_cycle=stop_cycle, dead_cycle=dead_cycle, rates=())
    return Losses(schedule.program, topology, schedule.plan.task.machine, out)


@given(
    base=st.integers(0, 10**6),
    chip=st.integers(0, 7),
    link=st.integers(0, 55),
    stops=st.integers(-10, 30_000),
    dies=st.integers(-10, 30_000),
)
def test_a_train_is_lost_and_a_chip_halts_unless_all_of_it_is_done_before(
    compiled: Compile, *, base: int, chip: int, link: int, stops: int, dies: int
) -> None:
    schedule = compiled(2, 4, link__vector_bytes=16)
    program, machine = schedule.program, schedule.plan.task.machine
    losses = losses_of(schedule, stop={chip: base + stops}, dead={link: base + dies})
    trains, code = program.trains, program.instructions
    lost = []
    for train, (on, vectors) in enumerate(
        zip(trains.link.tolist(), trains.vectors.tolist(), strict=True)
    ):
        last = machine.line.offset_cycles(vectors - 1)
        last += int(trains.wire_cycle[train])
        from_chip = schedule.topology.source[on] == chip
        if (on == link and last >= dies) or (from_chip and last >= stops):
            lost.append(train)
    assert losses.lost(base).tolist() == lost
    own = code.chip == chip
    end = (code.start_cycle + np.maximum(code.duration_cycles, 1))[own]
    halts = bool(own.any() and stops < end.max())
    assert losses.halted(base).tolist() == [chip] * halts


def test_a_train_of_which_only_the_tail_is_cut_off_is_lost(compiled: Compile) -> None:
    schedule = compiled(2, 4, link__vector_bytes=16)
    trains = schedule.program.trains
    train = int(trains.vectors.argmax())
    assert trains.vectors[train] > 1
    link, head = int(trains.link[train]), int(trains.wire_cycle[train])
    assert train in losses_of(schedule, stop={}, dead={link: head + 1}).lost(0)
    assert train not in losses_of(schedule, stop={}, dead={link: head + 10**6}).lost(0)

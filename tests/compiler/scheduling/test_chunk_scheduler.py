import numpy as np
import pytest

from compiler.ir.timeline import ComputeEntry, LoadEntry, Timeline, TransportEntry
from compiler.ir.transfers import CycleBreakdown, Transport
from compiler.scheduling.chunk_scheduler import schedule_chunks
from sharding.operators.operators import Unit

STALL = 10
ONE = np.ones(1, dtype=np.int64)


def train(link: int, cycles: int) -> Transport:
    """Return a transport of one train, which keeps its link all the time."""
    return Transport(
        link=link * ONE,
        vectors=ONE,
        wire_cycle=0 * ONE,
        receive_cycle=cycles * ONE,
        previous=-ONE,
        message=0 * ONE,
        serialisation_cycles=cycles * ONE,
        spent=CycleBreakdown(link=cycles),
        hops=1,
    )


def computed(start: int, operator: int, cycles: int) -> ComputeEntry:
    return ComputeEntry(start, operator, "work", Unit.VECTOR, ONE, (), cycles * ONE)


def one_stage(cycles: int) -> Timeline:
    return Timeline(
        entries=(computed(0, 0, cycles),),
        loads=(LoadEntry(0, 0, ONE, (), ONE),),
        spent=CycleBreakdown(compute=cycles),
        stage_cycles=(cycles,),
        stage_hops=(0,),
        trains=0,
    )


def two_stages(first: int, second: int) -> Timeline:
    """Return a stage, a transfer of 10 cycles, and another stage."""
    return Timeline(
        entries=(
            computed(0, 0, first),
            TransportEntry(first, 1, "hand_over", train(0, 10)),
            computed(first + 10, 2, second),
        ),
        loads=(),
        spent=CycleBreakdown(compute=first + second, link=10),
        stage_cycles=(first + 10, 10 + second),
        stage_hops=(1, 0),
        trains=1,
    )


def starts(made: Timeline) -> list[int]:
    return [entry.start_cycle for entry in made.entries]


def test_a_chunk_alone_stays_as_it_is() -> None:
    part = two_stages(100, 50)
    made, begin = schedule_chunks([part], STALL)
    assert begin == [0]
    assert made.entries == part.entries
    assert (made.spent, made.stage_cycles) == (part.spent, part.stage_cycles)


def test_a_chunk_enters_a_stage_when_the_one_ahead_has_left_and_a_deskew_fits() -> None:
    made, begin = schedule_chunks([one_stage(100)] * 3, STALL)
    assert begin == starts(made) == [0, 110, 220]
    assert made.spent == CycleBreakdown(compute=100, wait=220)
    assert made.stage_cycles == (300,)


def test_weights_move_with_the_chunk_that_they_are_loaded_for() -> None:
    made, _ = schedule_chunks([one_stage(100)] * 2, STALL)
    assert [(load.start_cycle, load.operator) for load in made.loads] == [
        (0, 0),
        (110, 1),
    ]


def test_a_stage_computes_a_chunk_while_the_next_stage_computes_the_one_before() -> (
    None
):
    made, begin = schedule_chunks([two_stages(100, 50)] * 2, STALL)
    # The first stage is free at 110, after its transfer; the second at 160.
    assert begin == [0, 120]
    assert starts(made) == [0, 100, 110, 120, 220, 230]
    assert [entry.operator for entry in made.entries] == list(range(6))
    assert made.token_cycles == 280


def test_a_stage_transfer_waits_for_a_slow_stage_to_be_free() -> None:
    made, _ = schedule_chunks([two_stages(100, 200)] * 2, STALL)
    # The second stage has the first chunk until 310.
    assert starts(made) == [0, 100, 110, 120, 320, 330]
    assert made.token_cycles == 530


@pytest.mark.parametrize(("back", "start"), [(2, 240), (0, 260)])
def test_a_phase_waits_for_a_train_of_another_stage_on_its_link(
    back: int, start: int
) -> None:
    part = Timeline(
        entries=(
            computed(0, 0, 100),
            TransportEntry(100, 1, "gather", train(0, 20)),
            TransportEntry(120, 2, "hand_over", train(1, 10)),
            computed(130, 3, 100),
            TransportEntry(230, 4, "way_back", train(back, 30)),
        ),
        loads=(),
        spent=CycleBreakdown(compute=200, link=60),
        stage_cycles=(130, 140),
        stage_hops=(2, 1),
        trains=3,
    )
    made, begin = schedule_chunks([part] * 2, STALL)
    # The second gather is ready at 240; the first return is on its link until 260.
    assert begin == [0, 140]
    assert made.entries[6].name == "gather"
    assert made.entries[6].start_cycle == start

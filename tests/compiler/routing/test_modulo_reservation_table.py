import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.ir.timeline import Timeline, TransportEntry
from compiler.ir.transfers import CycleBreakdown, Transport
from compiler.routing.modulo_reservation_table import (
    ModuloReservationTable,
    contested_links,
)
from specs.errors import ScheduleError

Ride = tuple[int, int, int]


def phase(rides: list[Ride]) -> Transport:
    """Return a phase whose trains take a link each: link, first cycle, duration."""
    link, wire, duration = np.array(rides, dtype=np.int64).T
    return Transport(
        link=link,
        vectors=0 * link + 1,
        wire_cycle=wire,
        receive_cycle=wire,
        previous=0 * link - 1,
        message=0 * link,
        serialisation_cycles=duration,
        spent=CycleBreakdown(link=int((wire + duration).max())),
        hops=1,
    )


def cycles_taken(rides: list[Ride], start: int, period: int) -> set[tuple[int, int]]:
    return {
        (link, (start + wire + cycle) % period)
        for link, wire, duration in rides
        for cycle in range(duration)
    }


# Trains of a phase are on links of their own.
phases = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 900), st.integers(1, 40)),
    min_size=1,
    max_size=4,
    unique_by=lambda ride: ride[0],
)


@given(
    others=st.lists(st.tuples(phases, st.integers(0, 2_000)), max_size=6),
    own=phases,
    ready=st.integers(0, 5_000),
    period=st.integers(50, 1_200),
)
def test_a_phase_waits_until_its_links_are_free_and_no_longer(
    others: list[tuple[list[Ride], int]], own: list[Ride], ready: int, period: int
) -> None:
    table = ModuloReservationTable(period, range(4))
    taken: set[tuple[int, int]] = set()
    for rides, start in others:
        table.take(phase(rides), start)
        taken |= cycles_taken(rides, start, period)
    free = (
        wait
        for wait in range(period)
        if not cycles_taken(own, ready + wait, period) & taken
    )
    wait = next(free, None)
    if wait is None:
        with pytest.raises(ScheduleError, match="finds no moment in"):
            table.wait_cycles(phase(own), ready)
    else:
        assert table.wait_cycles(phase(own), ready) == wait


def test_nobody_waits_for_a_link_that_one_stage_has_for_itself() -> None:
    table = ModuloReservationTable(100, {7})
    table.take(phase([(3, 0, 60)]), 0)
    assert table.wait_cycles(phase([(3, 0, 60)]), 0) == 0
    table.take(phase([(7, 0, 60)]), 0)
    assert table.wait_cycles(phase([(7, 0, 30)]), 0) == 60


def timeline(*entries: tuple[str, int]) -> Timeline:
    """Return a timeline of transfers: name, and the link of its only train."""
    return Timeline(
        entries=tuple(
            TransportEntry(0, row, name, phase([(link, 0, 10)]))
            for row, (name, link) in enumerate(entries)
        ),
        loads=(),
        spent=CycleBreakdown(),
        stage_cycles=(),
        stage_hops=(),
        trains=len(entries),
    )


def test_a_link_is_contested_if_two_stages_use_it() -> None:
    # A stage ends with its stage transfer, which is still its own.
    two_stages = timeline(("a", 1), ("a", 1), ("hand_over", 2), ("b", 1), ("c", 3))
    assert contested_links([two_stages]) == {1}
    assert contested_links([timeline(("a", 5)), timeline(("a", 5), ("b", 6))]) == {5}

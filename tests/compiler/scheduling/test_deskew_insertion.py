from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chip.program import Instructions, Opcode, Slice, instructions_of
from compiler.ir.schedule import Schedule
from compiler.scheduling.deskew_insertion import place_deskews
from specs.errors import ScheduleError

Compile = Callable[..., Schedule]
STALL = 10
Rows = list[tuple[int, int, bool]]
# Gap before, length, and whether a link is used.
pieces = st.lists(
    st.tuples(st.integers(0, 40), st.integers(1, 20), st.booleans()),
    min_size=1,
    max_size=12,
)


def one_chip(rows: Rows) -> Instructions:
    gaps, lengths, linked = (np.array(column) for column in zip(*rows, strict=True))
    start = np.cumsum(gaps) + np.cumsum(lengths) - lengths
    links = linked.astype(bool)
    return instructions_of(
        {
            "chip": 0 * start,
            "slice": np.where(links, Slice.C2C_IN, Slice.VXM),
            "port": np.where(links, 3, -1),
            "opcode": np.where(links, Opcode.RECEIVE, Opcode.VECTOR),
            "start_cycle": start,
            "duration_cycles": lengths,
            "train": np.where(links, np.cumsum(links) - 1, -1),
            "operator": np.arange(len(rows)),
            "kind": np.full(len(rows), -1),
        }
    )


@given(
    rows=pieces,
    idle=st.integers(0, 300),
    interval=st.integers(20, 200),
    longest=st.integers(60, 300),
)
def test_deskews_are_recent_disturb_nothing_and_are_never_too_far_apart(
    rows: Rows, idle: int, interval: int, longest: int
) -> None:
    code = one_chip(rows)
    period = int((code.start_cycle + code.duration_cycles).max()) + idle
    placed = place_deskews(
        code,
        interval_cycles=interval,
        longest_cycles=longest,
        stall_cycles=STALL,
        period_cycles=period,
        starts=np.zeros(1, dtype=np.int64),
    )
    if placed is None:
        return
    # Five periods, looked at cycle by cycle; the middle one has a past and a future.
    starts = [
        at + period * turn
        for turn in range(-2, 3)
        for at in placed.start_cycle.tolist()
    ]
    for begin, length, part in zip(
        code.start_cycle.tolist(),
        code.duration_cycles.tolist(),
        code.slice.tolist(),
        strict=True,
    ):
        for start in starts:
            assert start + STALL <= begin or start >= begin + length
        if part == Slice.C2C_IN:
            assert any(begin + length - interval <= start <= begin for start in starts)
    distances = np.diff(starts)
    assert (distances >= STALL).all()
    assert (distances <= longest).all()


def test_a_chip_deskews_in_the_last_gap_before_it_uses_a_link() -> None:
    # Idle 0..29, receives at 30..39, computes 40..59, idle, receives at 100..109.
    code = one_chip([(30, 10, True), (0, 20, False), (40, 10, True)])
    placed = place_deskews(
        code,
        interval_cycles=60,
        longest_cycles=10_000,
        stall_cycles=STALL,
        period_cycles=200,
        starts=np.zeros(1, dtype=np.int64),
    )
    assert placed is not None
    assert placed.start_cycle.tolist() == [20, 90]


def test_one_deskew_serves_all_that_follows_within_its_interval() -> None:
    code = one_chip([(30, 10, True), (0, 20, False), (40, 10, True)])
    placed = place_deskews(
        code,
        interval_cycles=90,
        longest_cycles=10_000,
        stall_cycles=STALL,
        period_cycles=200,
        starts=np.zeros(1, dtype=np.int64),
    )
    assert placed is not None
    # From 20 on; 110 - 20 is 90.
    assert placed.start_cycle.tolist() == [20]


def test_a_chip_without_links_need_not_deskew() -> None:
    placed = place_deskews(
        one_chip([(0, 50, False)]),
        interval_cycles=60,
        longest_cycles=100,
        stall_cycles=STALL,
        period_cycles=50,
        starts=np.zeros(1, dtype=np.int64),
    )
    assert placed is not None
    assert len(placed) == 0


def test_a_chip_that_is_always_busy_has_no_room() -> None:
    placed = place_deskews(
        one_chip([(0, 50, False), (0, 5, True)]),
        interval_cycles=60,
        longest_cycles=100,
        stall_cycles=STALL,
        period_cycles=60,
        starts=np.zeros(1, dtype=np.int64),
    )
    assert placed is None


def test_in_long_idleness_a_chip_deskews_often_enough_to_tell_how_far_it_is_off() -> (
    None
):
    placed = place_deskews(
        one_chip([(30, 10, True)]),
        interval_cycles=50,
        longest_cycles=400,
        stall_cycles=STALL,
        period_cycles=1_000,
        starts=np.zeros(1, dtype=np.int64),
    )
    assert placed is not None
    # 20 for the vector; then every 400, the last brought forward to leave room.
    assert placed.start_cycle.tolist() == [20, 420, 820]


def test_clocks_that_do_not_drift_are_never_deskewed(compiled: Compile) -> None:
    program = compiled(2, 2, clock__model="ideal").program
    assert len(program.deskews) == program.deskews.interval_cycles == 0


def test_a_given_interval_is_kept(compiled: Compile) -> None:
    program = compiled(4, 2, deskew__interval_epochs=20).program
    assert program.deskews.interval_cycles == 20 * 252
    assert len(program.deskews) > len(compiled(4, 2).program.deskews)


def test_an_interval_shorter_than_a_collective_is_refused(compiled: Compile) -> None:
    with pytest.raises(ScheduleError, match=r"use a longer deskew\.interval"):
        compiled(4, 2, deskew__interval_epochs=2)


def test_crystals_worse_than_any_interval_are_refused_with_what_would_do(
    compiled: Compile,
) -> None:
    with pytest.raises(ScheduleError, match=r"no interval works.*clock.drift_ppm="):
        compiled(4, 2, clock__drift_ppm=90_000)


def test_a_deskew_once_in_a_period_longer_than_drift_can_be_told_is_no_way() -> None:
    # Receives at 0..19, may deskew in 20..59 only, computes to 359.
    code = one_chip([(0, 20, True), (40, 300, False)])
    period_cycles, longest_cycles = 360, 200
    placed = place_deskews(
        code,
        interval_cycles=400,
        longest_cycles=longest_cycles,
        stall_cycles=STALL,
        period_cycles=period_cycles,
        starts=np.zeros(1, dtype=np.int64),
    )
    assert placed is None

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chip.program import Instructions, Opcode, Slice, instructions_of
from compiler.ir.schedule import Schedule
from compiler.scheduling.initiation_interval import (
    collision_cycles,
    interval_within_token,
    sends_on_ports,
    sequence_spacing,
    sequence_starts,
)
from compiler.verify import verify

Compile = Callable[..., Schedule]
spans = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 80), st.integers(1, 9)),
    min_size=1,
    max_size=8,
)


def token(rows: list[tuple[int, int, int]]) -> Instructions:
    """Return vector instructions: chip, start cycle and duration of each."""
    chip, start, duration = np.array(rows, dtype=np.int64).T
    same = {"port": -1, "slice": Slice.VXM, "opcode": Opcode.VECTOR}
    same |= {"train": -1, "kind": -1}
    columns = {name: np.full(len(rows), value) for name, value in same.items()}
    return instructions_of(
        {
            "chip": chip,
            "start_cycle": start,
            "duration_cycles": duration,
            "operator": 0 * chip,
            **columns,
        }
    )


def cycles_in_use(
    rows: list[tuple[int, int, int]], starts: list[int], period: int
) -> list[tuple[int, int]]:
    return [
        (chip, (start + shift + cycle) % period)
        for shift in starts
        for chip, start, duration in rows
        for cycle in range(duration)
    ]


@given(
    rows=spans,
    starts=st.lists(st.integers(0, 99), min_size=1, max_size=3),
    period=st.integers(10, 100),
)
def test_a_collision_is_a_cycle_in_use_twice(
    rows: list[tuple[int, int, int]], starts: list[int], period: int
) -> None:
    used = cycles_in_use(rows, starts, period)
    collides = collision_cycles(token(rows), np.array(starts), period) > 0
    assert collides == (len(used) != len(set(used)))


@given(rows=spans, sequences=st.integers(2, 5))
def test_sequences_are_spaced_so_that_they_never_meet(
    rows: list[tuple[int, int, int]], sequences: int
) -> None:
    # One token must not meet itself: a chip does one thing after the other.
    rows = [(chip, 10 * at, length) for at, (chip, _, length) in enumerate(rows)]
    length = 10 * len(rows)
    interval, period = sequence_spacing(
        token(rows), sequences, at_least_cycles=7, token_cycles=length
    )
    used = cycles_in_use(rows, [interval * j for j in range(sequences)], period)
    assert len(used) == len(set(used))
    assert interval >= 7
    assert max(length, sequences * interval) <= period <= sequences * max(7, length)


def test_the_last_sequence_must_not_meet_the_next_token_of_the_first() -> None:
    # Busy in 0..9 and 60..69 of 85. Every 25 cycles would do, were it for ever; but
    # the first sequence is back at 85, where the second, begun at 25, is busy.
    rows = [(0, 0, 10), (0, 60, 10)]
    assert collision_cycles(token(rows), np.array([0]), 25) == 0
    spacing = sequence_spacing(token(rows), 3, at_least_cycles=25, token_cycles=85)
    # A fourth place stays empty; further apart, at 35, three would take 105.
    assert spacing == (25, 100)


@given(rows=spans, sequences=st.integers(2, 6))
def test_more_sequences_never_make_a_sequence_come_round_sooner(
    rows: list[tuple[int, int, int]], sequences: int
) -> None:
    rows = [(chip, 10 * at, length) for at, (chip, _, length) in enumerate(rows)]
    periods = [
        sequence_spacing(
            token(rows), many, at_least_cycles=7, token_cycles=10 * len(rows)
        )[1]
        for many in (sequences, sequences + 1)
    ]
    assert periods[0] <= periods[1]


def test_one_sequence_follows_itself() -> None:
    alone = sequence_spacing(
        token([(0, 0, 10)]), 1, at_least_cycles=99, token_cycles=10
    )
    assert alone == (0, 10)


def test_sequences_start_an_interval_apart() -> None:
    assert sequence_starts(4, 100).tolist() == [0, 100, 200, 300]


@pytest.mark.parametrize("sequences", [2, 3, 8, 20])
def test_a_full_pipeline_is_as_fast_as_its_slowest_stage(
    compiled: Compile, sequences: int
) -> None:
    schedule = compiled(2, 4, sequences=sequences)
    program = schedule.program
    slowest = max(schedule.timeline.stage_cycles)
    assert program.interval_cycles >= slowest
    assert program.period_cycles >= sequences * program.interval_cycles
    assert schedule.breakdown.total == program.token_cycles
    assert schedule.breakdown.wait >= 0
    assert program.token_cycles + program.turn_cycles == schedule.latency_cycles
    verify(program, schedule.topology, schedule.plan.task.machine)


def test_a_crowded_schedule_is_spaced_in_few_steps(compiled: Compile) -> None:
    # Groups of three chips over two nodes forward for each other all the time, so that
    # nearly every interval below a whole token collides.
    schedule = compiled(3, 4, sequences=2)
    program = schedule.program
    assert program.interval_cycles <= program.token_cycles
    verify(program, schedule.topology, schedule.plan.task.machine)


def test_within_a_token_sequences_start_at_the_first_interval_without_a_collision() -> (
    None
):
    # Busy in 0..9 and 60..69 of 100: at 25 the second sequence is in 25..34 and 85..94.
    rows = [(0, 0, 10), (0, 60, 10)]
    free = interval_within_token(token(rows), 2, at_least_cycles=25, token_cycles=100)
    assert free == 25
    # At 5 they meet for 5 cycles, and at 10 no more.
    met = interval_within_token(token(rows), 2, at_least_cycles=5, token_cycles=100)
    assert met == 10


def test_no_interval_within_a_token_is_longer_than_its_share_of_the_token() -> None:
    rows = [(0, 0, 10)]
    for at_least, interval in ((33, 33), (34, None)):
        found = interval_within_token(
            token(rows), 3, at_least_cycles=at_least, token_cycles=100
        )
        assert found == interval


def test_only_what_is_sent_on_a_port_can_meet_what_others_send_there() -> None:
    rows = [
        (chip, port, part)
        for chip in (0, 1)
        for port in (2, 3)
        for part in (Slice.C2C_OUT, Slice.C2C_IN)
    ]
    chip, port, part = np.array(rows).T
    same = {"opcode": Opcode.SEND, "start_cycle": 0, "duration_cycles": 1}
    same |= {"train": 0, "kind": -1}
    code = instructions_of(
        {
            "chip": chip,
            "port": port,
            "slice": part,
            "operator": np.arange(len(rows)),
            **{name: np.full(len(rows), value) for name, value in same.items()},
        }
    )
    sent = sends_on_ports(code, np.array([1]), np.array([3]))
    (row,) = zip(sent.chip, sent.port, sent.slice, sent.operator, strict=True)
    assert row == (1, 3, Slice.C2C_OUT, 6)
    assert len(sends_on_ports(code, np.array([0, 1]), np.array([2, 2]))) == 2

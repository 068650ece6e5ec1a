from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabric.clocks.clock import FOREVER, Clock, Stretch, cycles_at, quotients_ps
from specs.errors import SpecError
from specs.units import PPM

PS_PER_S = 10**12
clocks = st.builds(
    Clock,
    frequency_hz=st.integers(1_000, 10_000_000_000),
    phase_ps=st.integers(-(10**12), 10**12),
)
any_cycle = st.integers(-(10**18), 10**18)
fast_clocks = st.builds(
    Clock,
    frequency_hz=st.integers(1_000_000, 3_000_000_000),
    phase_ps=st.integers(-(10**12), 10**12),
)


@given(clock=clocks, cycle=any_cycle)
def test_an_edge_is_exact_at_any_cycle(clock: Clock, cycle: int) -> None:
    exact = Fraction(cycle * PS_PER_S, clock.frequency_hz)
    assert clock.edge_ps(cycle) == clock.phase_ps + floor(exact)


@given(clock=clocks, cycle=any_cycle)
def test_edges_come_one_after_the_other(clock: Clock, cycle: int) -> None:
    assert clock.edge_ps(cycle) < clock.edge_ps(cycle + 1)


@given(clock=clocks, cycle=any_cycle)
def test_the_cycle_that_runs_at_an_edge_is_the_one_that_begins_there(
    clock: Clock, cycle: int
) -> None:
    assert clock.cycle_at(clock.edge_ps(cycle)) == cycle
    assert clock.cycle_at(clock.edge_ps(cycle) - 1) == cycle - 1


@given(clock=clocks, time_ps=st.integers(-(10**20), 10**20))
def test_a_cycle_runs_until_the_next_begins(clock: Clock, time_ps: int) -> None:
    cycle = clock.cycle_at(time_ps)
    assert clock.edge_ps(cycle) <= time_ps < clock.edge_ps(cycle + 1)


@given(
    clock=clocks,
    cycles=st.lists(st.integers(-900_000_000, 900_000_000), max_size=20),
)
def test_many_edges_at_once_are_the_same_integers(
    clock: Clock, cycles: list[int]
) -> None:
    edges = clock.edges_ps(np.array(cycles, dtype=np.int64))
    assert edges.dtype == np.int64
    assert edges.tolist() == [clock.edge_ps(cycle) for cycle in cycles]


@given(clock=fast_clocks, cycle=st.integers(-(10**12), 10**12))
def test_many_edges_at_once_are_those_of_one_by_one(clock: Clock, cycle: int) -> None:
    edges = clock.edges_ps(np.array([cycle], dtype=np.int64))
    assert edges.tolist() == [clock.edge_ps(cycle)]


@given(
    clock=fast_clocks,
    cycle=st.integers(-(10**12), 10**12),
    into_ps=st.integers(0, 2_000),
)
def test_the_cycle_at_a_time_is_the_same_for_many_times_at_once(
    clock: Clock, cycle: int, into_ps: int
) -> None:
    time_ps = clock.edge_ps(cycle) + into_ps
    hz, phase_ps = np.int64(clock.frequency_hz), np.int64(clock.phase_ps)
    cycles = cycles_at(np.array([time_ps], dtype=np.int64), hz, phase_ps)
    assert cycles.tolist() == [clock.cycle_at(time_ps)]


def test_a_second_has_as_many_cycles_as_the_frequency() -> None:
    clock = Clock(frequency_hz=900_045_000, phase_ps=7)
    assert clock.edge_ps(900_045_000) == PS_PER_S + 7


@given(nominal_hz=st.integers(10**6, 10**10), ppm=st.floats(-200, 200))
def test_an_offset_clock_is_right_to_half_a_hertz(nominal_hz: int, ppm: float) -> None:
    clock = Clock.with_offset(nominal_hz, ppm)
    wanted = nominal_hz * (1 + Fraction(ppm) / PPM)
    assert abs(clock.frequency_hz - wanted) <= Fraction(1, 2) + Fraction(1, 10**6)


def test_two_crystals_at_their_limits_drift_100_cycles_in_a_million() -> None:
    fast = Clock.with_offset(900_000_000, 50)
    slow = Clock.with_offset(900_000_000, -50)
    assert fast.cycle_at(slow.edge_ps(1_000_000)) == 1_000_100


@pytest.mark.parametrize("frequency_hz", [0, -1])
def test_a_crystal_that_stands_still_is_refused(frequency_hz: int) -> None:
    with pytest.raises(SpecError, match=rf"must be > 0, got {frequency_hz}$"):
        Clock(frequency_hz=frequency_hz)


@given(
    seconds=st.integers(0, 9 * 10**6 - 1),
    within=st.integers(0, 10**6 - 1),
    frequency_hz=st.integers(10**6, 3 * 10**9 - 1),
)
def test_quotient_and_remainder_of_a_duration_are_exact(
    seconds: int, within: int, frequency_hz: int
) -> None:
    cycles = seconds * frequency_hz + within
    quotient, rest = quotients_ps(np.array([cycles]), np.int64(frequency_hz))
    assert (int(quotient[0]), int(rest[0])) == divmod(cycles * 10**12, frequency_hz)


def test_a_constant_crystal_is_one_stretch() -> None:
    clock = Clock(frequency_hz=900_000_000, phase_ps=7)
    assert clock.stretch_at(12_345) == Stretch(
        first_cycle=0,
        end_cycle=FOREVER,
        first_ps=7,
        rest=0,
        step=10**12,
        unit=900_000_000,
    )

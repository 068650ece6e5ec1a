from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabric.clocks.clock import Clock
from fabric.clocks.random_walk import RandomWalk
from fabric.clocks.random_walk_clock import RandomWalkClock

HZ = 900_000_000
CHIPS = 3
BOUND_PPM = 50.0
STRETCH = 10_000
BLOCK = 64 * STRETCH
# Within a block, at the borders of stretches and blocks, and far away.
CYCLES = st.one_of(
    st.integers(0, 3 * BLOCK),
    st.builds(
        lambda k, d: max(k * BLOCK + d, 0), st.integers(0, 30), st.integers(-2, 2)
    ),
    st.builds(
        lambda k, d: max(k * STRETCH + d, 0), st.integers(0, 200), st.integers(-2, 2)
    ),
    st.integers(0, 40 * BLOCK),
)
chips = st.integers(0, CHIPS - 1)
PHASE_PS = np.array([0, 700, 1_100])


def steps(stretch: int) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return np.random.default_rng(stretch).uniform(-1, 1, CHIPS)


def make(step_ppm: float = 8.0, bound_ppm: float = BOUND_PPM) -> RandomWalk:
    return RandomWalk(
        HZ,
        bound_ppm=bound_ppm,
        step_ppm=step_ppm,
        stretch_cycles=STRETCH,
        first_error_ppm=np.array([-bound_ppm, 0.0, bound_ppm / 3]),
        phase_ps=PHASE_PS,
        steps=steps,
    )


WANDER = make()
CLOCKS = [RandomWalkClock(WANDER, chip) for chip in range(CHIPS)]


def exact_ps(chip: int, cycle: int) -> int:
    """Add the periods of all stretches up to a cycle as fractions, round at the end."""
    at = Fraction(int(PHASE_PS[chip]))
    for first in range(0, cycle, STRETCH):
        period = Fraction(CLOCKS[chip].stretch_at(first).step, 10**6)
        at += period * min(STRETCH, cycle - first)
    return at.numerator // at.denominator


@given(chips, CYCLES)
def test_every_edge_is_exact(chip: int, cycle: int) -> None:
    assert CLOCKS[chip].edge_ps(cycle) == exact_ps(chip, cycle)


@given(chips, st.lists(CYCLES, min_size=1, max_size=20))
def test_many_edges_are_those_of_one(chip: int, cycles: list[int]) -> None:
    clock = CLOCKS[chip]
    edges = clock.edges_ps(np.array(cycles))
    assert edges.tolist() == [clock.edge_ps(cycle) for cycle in cycles]
    assert clock.cycles_at(edges).tolist() == [
        clock.cycle_at(int(edge)) for edge in edges
    ]


@given(chips, CYCLES)
def test_an_edge_follows_the_one_before(chip: int, cycle: int) -> None:
    step_ps = CLOCKS[chip].edge_ps(cycle + 1) - CLOCKS[chip].edge_ps(cycle)
    assert step_ps in (1111, 1112)


@given(chips, CYCLES)
def test_the_cycle_at_an_edge_is_the_one_that_begins(chip: int, cycle: int) -> None:
    clock = CLOCKS[chip]
    assert clock.cycle_at(clock.edge_ps(cycle)) == cycle
    assert clock.cycle_at(clock.edge_ps(cycle + 1) - 1) == cycle


@given(chips, st.integers(0, 10**10))
def test_a_cycle_runs_at_a_time_between_its_edges(chip: int, time_ps: int) -> None:
    clock = CLOCKS[chip]
    cycle = clock.cycle_at(time_ps)
    if time_ps < PHASE_PS[chip]:
        assert cycle == -1
    else:
        assert clock.edge_ps(cycle) <= time_ps < clock.edge_ps(cycle + 1)


@pytest.mark.parametrize("step_ppm", [1.0, 50.0, 99.0])
def test_no_crystal_is_off_by_more_than_its_tolerance(step_ppm: float) -> None:
    walk = make(step_ppm)
    periods = np.array(
        [
            walk.stretch(chip, stretch * STRETCH).step
            for chip in range(CHIPS)
            for stretch in range(400)
        ]
    )
    error_ppm = (10**18 / HZ / periods - 1) * 1e6
    # A period is a whole number of as, 0.001 ppm.
    assert abs(error_ppm).max() <= BOUND_PPM + 0.001
    assert abs(error_ppm).max() > 0.6 * BOUND_PPM
    assert len(np.unique(periods)) > 1_000


def test_no_step_is_larger_than_it_may_be() -> None:
    error_ppm = [
        1e6 * (10**18 / HZ / CLOCKS[1].stretch_at(k * STRETCH).step - 1)
        for k in range(300)
    ]
    assert 6 < abs(np.diff(error_ppm)).max() <= 8.0 + 0.002


def test_a_block_that_was_let_go_comes_back_the_same() -> None:
    walk = make()
    first = [walk.stretch(chip, 5 * STRETCH) for chip in range(CHIPS)]
    fresh = [make().stretch(chip, 20 * BLOCK) for chip in range(CHIPS)]
    far = [walk.stretch(chip, 20 * BLOCK) for chip in range(CHIPS)]
    assert far == fresh
    assert [walk.stretch(chip, 5 * STRETCH) for chip in range(CHIPS)] == first
    assert [walk.stretch(chip, 20 * BLOCK) for chip in range(CHIPS)] == far


@given(chips, CYCLES)
def test_without_steps_a_crystal_is_constant(chip: int, cycle: int) -> None:
    still = RandomWalkClock(make(step_ppm=0.0), chip)
    stretch = still.stretch_at(cycle)
    since_as = cycle * stretch.step
    assert still.stretch_at(0).step == stretch.step
    assert still.edge_ps(cycle) == PHASE_PS[chip] + since_as // 10**6


def test_without_error_it_is_the_nominal_clock_to_the_resolution() -> None:
    still = RandomWalkClock(make(step_ppm=0.0), 1)
    nominal = Clock(frequency_hz=HZ, phase_ps=700)
    cycles = np.arange(0, 20 * BLOCK, 77_777)
    off_ps = abs(still.edges_ps(cycles) - nominal.edges_ps(cycles))
    assert (off_ps <= 1 + cycles // 2 // 10**6).all()


@given(chips, st.integers(0, 10**10))
def test_periods_are_those_of_the_stretch_at_a_time(chip: int, time_ps: int) -> None:
    (period,) = WANDER.periods_as(np.array([chip]), np.array([time_ps]))
    cycle = max(CLOCKS[chip].cycle_at(time_ps), 0)
    assert period == CLOCKS[chip].stretch_at(cycle).step

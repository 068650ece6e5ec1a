import numpy as np
import pytest

from fabric.clocks.clock import Stretch
from fabric.clocks.random_walk import Lines, RandomWalk
from fabric.clocks.random_walk_clock import RandomWalkClock
from specs.arrays import Ints
from specs.units import AS_PER_PS

# Chip 0 has periods of 1000, 800, 1000, ... ps, ten cycles each: a step of 250,000 ppm
# ends at the bound, the next is reflected there. Chip 1 is constant.
BEGINS_PS = [0, 10_000, 18_000, 28_000]
ZERO = np.zeros(4, dtype=np.int64)
NUMBERS = np.arange(4)


def make(nominal_hz: int) -> RandomWalk:
    return RandomWalk(
        nominal_hz,
        bound_ppm=250_000,
        step_ppm=500_000,
        stretch_cycles=10,
        first_error_ppm=np.zeros(2),
        phase_ps=np.array([0, 500]),
        steps=lambda _: np.array([0.5, 0]),
    )


@pytest.fixture
def walk() -> RandomWalk:
    return make(10**9)


def as_lists(lines: Lines) -> list[list[int]]:
    return [column.tolist() for column in lines]


def test_stretches_follow_one_another(walk: RandomWalk) -> None:
    assert walk.begins_ps(NUMBERS, ZERO).tolist() == BEGINS_PS
    constant = walk.begins_ps(NUMBERS, ZERO + 1)
    assert constant.tolist() == [500, 10_500, 20_500, 30_500]


def test_an_error_beyond_the_bound_is_reflected(walk: RandomWalk) -> None:
    periods = walk.periods_of(ZERO, NUMBERS)
    assert (periods // AS_PER_PS).tolist() == [1000, 800, 1000, 800]


@pytest.mark.parametrize(
    ("time_ps", "stretch"), [(-1, 0), (0, 0), (9_999, 0), (10_000, 1), (28_000, 3)]
)
def test_a_time_lies_in_the_stretch_that_has_begun(
    walk: RandomWalk, time_ps: int, stretch: int
) -> None:
    assert walk.stretches_at(ZERO[:1], np.array([time_ps])).tolist() == [stretch]


def test_a_period_is_that_of_the_stretch_at_the_time(walk: RandomWalk) -> None:
    periods = walk.periods_as(ZERO[:2], np.array([9_999, 10_000]))
    assert (periods // AS_PER_PS).tolist() == [1000, 800]


def test_a_line_leads_from_its_cycle_to_the_end_of_the_stretch(
    walk: RandomWalk,
) -> None:
    lines = walk.lines(np.array([0, 1]), np.array([13, 13]))
    assert as_lists(lines) == [
        [13, 13],
        [20, 20],
        [10_000, 10_500],
        [3 * 800 * AS_PER_PS, 3 * 1000 * AS_PER_PS],
        [800 * AS_PER_PS, 1000 * AS_PER_PS],
    ]


def test_a_line_gives_the_edges_of_its_stretch_to_the_attosecond() -> None:
    # Periods are no whole ps, so that stretches begin between them.
    walk = make(7 * 10**8)
    cycles: Ints = np.arange(510, 520)
    ((cycle,), _, (first_ps,), (parts,), (period,)) = as_lists(
        walk.lines(ZERO[:1], cycles[:1])
    )
    assert cycle == 510
    assert walk.edges_ps(np.zeros_like(cycles), cycles).tolist() == [
        first_ps + (parts + n * period) // AS_PER_PS for n in range(10)
    ]


def test_a_clock_shows_the_stretches_of_its_chip(walk: RandomWalk) -> None:
    clock = RandomWalkClock(walk, 0)
    assert clock.stretch_at(13) == Stretch(
        first_cycle=10,
        end_cycle=20,
        first_ps=10_000,
        rest=0,
        step=800 * AS_PER_PS,
        unit=AS_PER_PS,
    )
    assert [clock.cycle_at(time) for time in (0, 999, 1000, 18_000)] == [0, 0, 1, 20]

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabric.clocks.aligned_crystals import make_crystals
from fabric.clocks.clock import Clock
from fabric.clocks.crystals import Clocks, Crystals, make_clocks
from fabric.clocks.hac import AlignedCounter
from fabric.random_streams import Draws
from specs.machine import load_machine
from specs.units import AS_PER_PS
from topologies.routing.spanning_tree import alignment_tree
from topologies.selection import select_topology

MACHINE = load_machine()
CHIPS = np.arange(8)
NODE = select_topology(8)
MODELS = ["constant", "walk"]


def clocks_of(model: str, seed: int = 1) -> Clocks:
    machine = MACHINE.with_settings({"clock.model": model})
    return make_clocks(machine, len(CHIPS), 3, Draws(seed))


def constant(*frequencies_hz: int, phase_ps: int = 0) -> Clocks:
    return Clocks(
        each=tuple(Clock(frequency_hz=hz, phase_ps=phase_ps) for hz in frequencies_hz),
        offset_ppm=(0.0,) * len(frequencies_hz),
        random_walk=None,
    )


@given(seed=st.integers(0, 1000))
def test_offsets_lie_within_the_largest_error_and_the_first_clock_at_zero(
    seed: int,
) -> None:
    clocks = clocks_of("constant", seed)
    # Frequencies are whole hertz, which is 0.001 ppm.
    largest = MACHINE.clock.largest_error_ppm + 0.001
    assert np.abs(clocks.offset_ppm).max() <= largest
    assert clocks.phase_ps[3] == 0
    assert ((clocks.phase_ps >= 0) & (clocks.phase_ps < 1112)).all()


@pytest.mark.parametrize("model", MODELS)
def test_many_edges_and_cycles_are_those_of_each_crystal(model: str) -> None:
    clocks = clocks_of(model)
    cycles = 10**9 * (CHIPS + 1)
    edges_ps = clocks.edges_ps(CHIPS, cycles)
    by_one = [
        clock.edge_ps(cycle)
        for clock, cycle in zip(clocks.each, cycles.tolist(), strict=True)
    ]
    assert edges_ps.tolist() == by_one
    assert clocks.cycles_at(CHIPS, edges_ps).tolist() == cycles.tolist()
    assert clocks.cycles_at(CHIPS, edges_ps - 1).tolist() == (cycles - 1).tolist()


@pytest.mark.parametrize("model", MODELS)
def test_initial_clocks_begin_as_the_crystals_do(model: str) -> None:
    clocks = clocks_of(model)
    for initial, crystal in zip(clocks.initial, clocks.each, strict=True):
        assert initial.edge_ps(1000) == pytest.approx(crystal.edge_ps(1000), abs=1)


def test_a_period_is_the_inverse_of_the_frequency() -> None:
    clocks = constant(10**9, 2 * 10**9)
    periods_as = clocks.periods_as(np.array([1, 0]), np.array([0, 10**6]))
    assert (periods_as // AS_PER_PS).tolist() == [500, 1000]


def test_crystals_are_alike_if_frequency_and_phase_are() -> None:
    assert constant(10**9, 10**9).alike
    assert not constant(10**9, 10**9 + 1).alike
    assert not clocks_of("walk").alike


def test_counts_and_starts_of_many_chips_are_those_of_each_counter() -> None:
    clocks = clocks_of("constant")
    counters = tuple(
        AlignedCounter(root=clocks.each[3], error_counts=error - 4)
        for error in range(8)
    )
    crystals = Crystals(clocks=clocks, counters=counters, root=clocks.each[3])
    times_ps = np.full(8, 5 * 10**9)
    counts = crystals.counts_at(CHIPS, times_ps)
    assert counts.tolist() == [each.count_at(5 * 10**9) for each in counters]
    starts = crystals.start_cycles(CHIPS, counts + 100)
    assert starts.tolist() == [
        counter.start_cycle(clock, count + 100)
        for counter, clock, count in zip(
            counters, clocks.each, counts.tolist(), strict=True
        )
    ]


def test_crystals_with_a_counter_off_are_not_alike() -> None:
    clocks = constant(10**9, 10**9)
    root = clocks.each[0]
    alike = [
        Crystals(
            clocks=clocks,
            counters=(
                AlignedCounter(root=root, error_counts=0),
                AlignedCounter(root=root, error_counts=error),
            ),
            root=root,
        ).alike
        for error in (0, 1)
    ]
    assert alike == [True, False]


def test_aligned_crystals_follow_the_root_of_the_tree() -> None:
    tree = alignment_tree(NODE, MACHINE, 3)
    clocks, draws = clocks_of("constant"), Draws(1)
    crystals = make_crystals(MACHINE, NODE, tree, clocks=clocks, draws=draws)
    assert crystals.root is clocks.each[3]
    assert {counter.root for counter in crystals.counters} == {clocks.each[3]}
    assert crystals.error_counts[3] == 0
    assert crystals.error_counts.any()

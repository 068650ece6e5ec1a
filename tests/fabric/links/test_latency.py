import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from experiments.validation.link_round_trips import TABLE_2
from fabric.links.latency import LEVEL_BITS, Jitter, least_latency_ps
from fabric.random_streams import Draws, Stream
from specs.machine import MachineSpec, load_machine
from topologies.selection import select_topology

NODE, RACK = select_topology(8), select_topology(72)
MACHINE = load_machine()
CLIPPED = MACHINE.with_settings({"link.jitter": "clipped"})
GAUSSIAN = MACHINE.with_settings({"link.jitter": "gaussian"})
EVERY_LEVEL = np.arange(2**LEVEL_BITS, dtype=np.uint64) << np.uint64(64 - LEVEL_BITS)


def clipped_moments(mean: float, deviation: float) -> tuple[float, float]:
    """Return mean and deviation of a normal distribution clipped to 0..1."""
    x = np.linspace(0, 1, 200_001)
    above = norm.sf(x, mean, deviation)
    # Of what is never negative: E = integral of P(X > x), E of the square with 2x.
    first = np.trapezoid(above, x)
    second = np.trapezoid(2 * x * above, x)
    return float(first), float(np.sqrt(second - first**2))


@pytest.mark.parametrize("row", range(7))
def test_the_table_has_the_moments_of_the_clipped_normal_distribution(row: int) -> None:
    link = MACHINE.link
    drawn_ps = Jitter(CLIPPED, NODE).ps(np.array([NODE.out_links(0)[row]]), EVERY_LEVEL)
    cycles = drawn_ps * MACHINE.chip.clock_hz / 1e12
    mean, deviation = clipped_moments(*link.jitter_rows[row])
    assert cycles.mean() == pytest.approx(mean * link.jitter_cycles, abs=1e-3)
    assert cycles.std() == pytest.approx(deviation * link.jitter_cycles, abs=2e-3)


@pytest.mark.parametrize("row", range(7))
def test_the_table_of_a_beta_law_has_its_moments_and_its_ends(row: int) -> None:
    link = MACHINE.link
    drawn_ps = Jitter(MACHINE, NODE).ps(np.array([NODE.out_links(0)[row]]), EVERY_LEVEL)
    cycles = drawn_ps * MACHINE.chip.clock_hz / 1e12
    mean, deviation = (part * link.jitter_cycles for part in link.jitter_rows[row])
    assert cycles.mean() == pytest.approx(mean, abs=1e-3)
    assert cycles.std() == pytest.approx(deviation, abs=1e-3)
    # From the least of the measured links to the greatest: 209 to 228 cycles.
    spread = max(row.most for row in TABLE_2) - min(row.least for row in TABLE_2)
    assert 0 <= cycles.min() < 0.2
    assert spread - 1 < cycles.max() < spread
    last = Jitter(MACHINE, NODE).most_ps * MACHINE.chip.clock_hz / 1e12
    assert last == pytest.approx(spread, abs=0.01)


def test_the_span_is_that_of_a_normal_law_with_the_measured_deviation() -> None:
    # Half round trips are means of two latencies. One in 100 000 is beyond either end.
    deviation = np.sqrt(2) * np.mean([row.deviation for row in TABLE_2])
    span = float(norm.isf(1e-5) - norm.ppf(1e-5)) * deviation
    assert round(span) == pytest.approx(MACHINE.link.jitter_cycles, abs=1)
    # As long a time in the second generation.
    lpx = load_machine("lpx")
    same_time = MACHINE.link.jitter_cycles * lpx.chip.clock_hz / MACHINE.chip.clock_hz
    assert lpx.link.jitter_cycles == same_time
    # Half a round trip spans less: neither the spread of half round trips nor twice it.
    spread = max(row.most for row in TABLE_2) - min(row.least for row in TABLE_2)
    assert spread < MACHINE.link.jitter_cycles < 2 * spread


@pytest.mark.parametrize("row", range(7))
def test_draws_in_the_uppermost_level_have_the_tail_of_the_law(row: int) -> None:
    gaussian = Jitter(GAUSSIAN, NODE)
    link = np.array([NODE.out_links(0)[row]])
    tail = np.uint64(2**LEVEL_BITS - 1) << np.uint64(64 - LEVEL_BITS)
    share = np.arange(1, 2**12, dtype=np.uint64)
    bits = tail + (share << np.uint64(64 - LEVEL_BITS - 12))
    drawn_ps = gaussian.ps(link, bits)
    # Each draw is that quantile: as much of the law lies beyond it.
    beyond = (1 - share * 2.0**-12) * 2.0**-LEVEL_BITS
    assert gaussian.odds_beyond(link, drawn_ps) == pytest.approx(beyond, rel=2e-3)
    assert (np.diff(drawn_ps) >= 0).all()
    below = gaussian.ps(link, tail - np.array([1], dtype=np.uint64))
    assert below[0] <= drawn_ps[0]


def test_the_largest_draw_is_the_last_one() -> None:
    last = np.array([2**64 - 1], dtype=np.uint64)
    for machine in (MACHINE, CLIPPED, GAUSSIAN):
        jitter = Jitter(machine, RACK)
        links = np.arange(len(RACK.source))
        most_ps = int(jitter.ps(links, last).max())
        assert most_ps <= jitter.most_ps <= most_ps + 1
        assert (jitter.odds_beyond(links, np.array([jitter.most_ps])) == 0).all()
        assert (jitter.odds_beyond(links, np.array([-1])) == 1).all()
    assert Jitter(CLIPPED, RACK).most_ps == MACHINE.cycles_to_ps(33)
    assert Jitter(MACHINE, RACK).most_ps <= MACHINE.cycles_to_ps(20)
    assert Jitter(GAUSSIAN, RACK).most_ps > MACHINE.cycles_to_ps(40)


@given(
    seed=st.integers(0, 2**32),
    law=st.sampled_from(["beta", "gaussian"]),
    deviation=st.sampled_from([0, 1e-4, 0.1, 0.3, 0.6]),
)
@settings(max_examples=30)
def test_draws_exceed_a_limit_as_often_as_the_closed_form_says(
    seed: int, law: str, deviation: float
) -> None:
    # From 0 to 1, with a mean of a quarter, deviations are below 0.43.
    deviation *= 1 if law == "gaussian" else 0.5
    machine = GAUSSIAN.with_settings(
        {
            "link.jitter": law,
            "link.jitter_std_fraction": deviation,
            "link.jitter_end_fraction": 1,
        }
    )
    jitter, trials = Jitter(machine, NODE), 20_000
    links = np.array(NODE.out_links(0))
    bits = Draws(seed).bits(Stream.JITTER, links, np.arange(trials)[:, np.newaxis])
    drawn_ps = jitter.ps(links, bits)
    assert drawn_ps.min() >= 0
    for cycles in (0, 10, 25, 33, 50):
        limit_ps = machine.cycles_to_ps(cycles)
        odds = jitter.odds_beyond(links, np.full(len(links), limit_ps))
        beyond = (drawn_ps > limit_ps).sum(axis=0)
        spread = np.sqrt(trials * odds * (1 - odds))
        assert (np.abs(beyond - trials * odds) <= 5 * spread + 2).all()


@given(
    seed=st.integers(0, 2**32),
    span=st.integers(0, 300),
    mean=st.floats(0, 1),
    deviation=st.floats(0, 1),
    law=st.sampled_from(["beta", "clipped"]),
)
@settings(max_examples=50)
def test_jitter_stays_within_its_span(
    seed: int, span: int, mean: float, deviation: float, law: str
) -> None:
    most = math.sqrt(mean * (1 - mean)) if law == "beta" else 1
    machine = MACHINE.with_settings(
        {
            "link.jitter": law,
            "link.jitter_cycles": span,
            "link.jitter_mean_fraction": mean,
            "link.jitter_std_fraction": 0.99 * deviation * most,
            "link.jitter_end_fraction": 1,
        }
    )
    links = np.arange(len(RACK.source))
    drawn_ps = Jitter(machine, RACK).ps(links, Draws(seed).bits(Stream.JITTER, links))
    assert drawn_ps.dtype == np.int64
    assert 0 <= drawn_ps.min() <= drawn_ps.max() <= machine.cycles_to_ps(span)


def test_both_directions_of_a_cable_draw_from_one_row() -> None:
    bits = np.full(len(RACK.source), 2**63, dtype=np.uint64)
    drawn_ps = Jitter(MACHINE, RACK).ps(np.arange(len(RACK.source)), bits)
    assert (drawn_ps[::2] == drawn_ps[1::2]).all()
    assert len(np.unique(drawn_ps)) == 7


def test_one_number_serves_all_links() -> None:
    machine = MACHINE.with_settings(
        {"link.jitter_mean_fraction": 0.5, "link.jitter_std_fraction": 0}
    )
    links = np.arange(len(RACK.source))
    drawn_ps = Jitter(machine, RACK).ps(links, Draws(1).bits(Stream.JITTER, links))
    assert np.unique(drawn_ps).tolist() == [18_333]


def test_without_jitter_every_draw_is_nothing() -> None:
    machine = MACHINE.with_settings({"link.jitter_cycles": 0})
    assert not Jitter(machine, NODE).ps(np.array([3]), EVERY_LEVEL).any()


def test_the_least_latency_grows_with_the_cable() -> None:
    least_ps = least_latency_ps(MACHINE, RACK)
    base_ps = MACHINE.cycles_to_ps(209)
    for length_m in np.unique(RACK.length_m):
        extra_m = max(0.0, float(length_m) - MACHINE.link.reference_length_m)
        expected = base_ps + round(extra_m * MACHINE.link.flight_ps_per_m)
        assert set(least_ps[RACK.length_m == length_m].tolist()) == {expected}


def test_a_decoder_adds_to_the_least_latency() -> None:
    coded: MachineSpec = MACHINE.with_settings({"fec.code": "rs528"})
    extra_ps = least_latency_ps(coded, NODE) - least_latency_ps(MACHINE, NODE)
    assert extra_ps == pytest.approx(100_000, abs=1)

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from fabric.links.latency import LEVEL_BITS, Jitter, least_latency_ps
from fabric.random_streams import Draws, Stream
from specs.machine import MachineSpec, load_machine
from topologies.selection import select_topology

NODE, RACK = select_topology(8), select_topology(72)
MACHINE = load_machine()
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
    drawn_ps = Jitter(MACHINE, NODE).ps(np.array([NODE.out_links(0)[row]]), EVERY_LEVEL)
    cycles = drawn_ps * MACHINE.chip.clock_hz / 1e12
    mean, deviation = clipped_moments(*link.jitter_rows[row])
    assert cycles.mean() == pytest.approx(mean * link.jitter_cycles, abs=1e-3)
    assert cycles.std() == pytest.approx(deviation * link.jitter_cycles, abs=1e-3)


@given(
    seed=st.integers(0, 2**32),
    span=st.integers(0, 300),
    mean=st.floats(0, 1),
    deviation=st.floats(0, 1),
)
def test_jitter_stays_within_its_span(
    seed: int, span: int, mean: float, deviation: float
) -> None:
    machine = MACHINE.with_settings(
        {
            "link.jitter_cycles": span,
            "link.jitter_mean_fraction": mean,
            "link.jitter_std_fraction": deviation,
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
    assert np.unique(drawn_ps).tolist() == [10_555]


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

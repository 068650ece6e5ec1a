import numpy as np
import pytest

from fabric.clocks.clock import Clock
from fabric.clocks.hac import FRACTION_BITS
from fabric.clocks.link_bring_up import (
    HacExchanges,
    MeasuredLinks,
    bring_up,
    spacing_epochs,
)
from fabric.links.latency import Jitter, least_latency_ps
from fabric.random_streams import Draws
from specs.machine import MachineSpec, load_machine
from topologies.selection import select_topology

NODE = select_topology(8)
LINKS = np.array(NODE.out_links(0))


def measured(machine: MachineSpec, seed: int) -> tuple[MeasuredLinks, list[float]]:
    """Return what exchanges with chip 0's neighbours tell, and all offsets in ppm."""
    offset_ppm = np.random.default_rng(seed).uniform(-50, 50, 8).tolist()
    clocks = [Clock.with_offset(machine.chip.clock_hz, ppm) for ppm in offset_ppm]
    told = bring_up(
        machine,
        NODE,
        LINKS,
        clocks=clocks,
        least_ps=least_latency_ps(machine, NODE),
        jitter=Jitter(machine, NODE),
        draws=Draws(seed),
    )
    return told, offset_ppm


@pytest.mark.parametrize("seed", range(5))
def test_half_a_round_trip_is_the_latency_and_its_trend_the_rate(seed: int) -> None:
    told, offset_ppm = measured(load_machine(), seed)
    # One way takes half a round trip, and a quarter for what is rounded down there.
    mean = np.array([216.87, 216.87, 216.41, 216.47, 216.27, 216.48, 217.35]) + 0.25
    deviation = 2.9 / np.sqrt(256)
    assert np.abs(told.latency / 2**FRACTION_BITS - mean).max() < 4 * deviation
    lost_ppm = told.rate / 2**FRACTION_BITS / 252 * 1e6
    expected = offset_ppm[0] - np.array(offset_ppm[1:])
    # The slope through 256 readings that deviate by 4 counts, 16 epochs apart.
    assert np.abs(lost_ppm - expected).max() < 4 * 0.85


def test_links_without_jitter_are_settled_when_first_judged() -> None:
    machine = load_machine().with_settings({"link.jitter_cycles": 0})
    told, _ = measured(machine, 1)
    assert told.exchanges.tolist() == [256] * 7
    assert told.latency / 2**FRACTION_BITS == pytest.approx(209, abs=0.05)


def test_some_links_take_more_exchanges_than_others_and_none_too_many() -> None:
    machine = load_machine().with_settings(
        {"hac.exchanges": 16, "hac.most_exchanges": 128}
    )
    taken = np.concatenate([measured(machine, seed)[0].exchanges for seed in range(9)])
    assert np.unique(taken).tolist() == [16, 32, 64, 128]


def test_exchanges_leave_time_for_the_round_trip() -> None:
    machine = load_machine().with_settings({"hac.spacing_epochs": 1})
    assert spacing_epochs(machine, least_latency_ps(machine, NODE)) == 3


def test_without_drift_and_jitter_every_exchange_reads_the_same() -> None:
    machine = load_machine().with_settings({"link.jitter_cycles": 0})
    least_ps = least_latency_ps(machine, NODE)
    exchanges = HacExchanges(
        machine,
        NODE,
        LINKS,
        clocks=[Clock(frequency_hz=machine.chip.clock_hz)] * 8,
        least_ps=least_ps,
        jitter=Jitter(machine, NODE),
        draws=Draws(1),
    )
    trips, behind = exchanges.measure(first=4, count=6)
    # Sent at an edge and reflected at the next one: twice the latency, rounded up.
    cycle_ps = 1e12 / machine.chip.clock_hz
    latency = int(np.ceil(least_ps[LINKS[0]] / cycle_ps))
    assert trips.shape == behind.shape == (6, 7)
    assert np.unique(behind).tolist() == [-latency]
    assert set(np.unique(trips).tolist()) <= {2 * latency - 1, 2 * latency}

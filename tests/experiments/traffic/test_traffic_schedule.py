from collections import defaultdict
from functools import cache

import numpy as np
import pytest

from compiler.cost.link_timing import serialisation_cycles
from experiments.traffic.slot_timetable import timetable, unforeseen_cycles
from experiments.traffic.traffic_schedule import (
    DESKEW_EPOCHS,
    Network,
    exchange_cycles,
    foreseen_cycles,
    network,
)
from fabric.random_streams import Draws
from fabric.reactive.traffic import Messages, all_to_all, uniform_messages
from specs.errors import ScheduleError
from specs.machine import load_machine
from topologies.selection import select_topology

MACHINE = load_machine()


@cache
def net_of(chips: int) -> Network:
    return network(select_topology(chips), MACHINE)


def least_cycles(net: Network, source: int, target: int) -> int:
    """Return what a vector takes that never waits but for the guard bands."""
    timing, path = net.timing, net.routes.path(source, target)
    ends = timing.send_cycles + timing.receive_cycles
    links = int(timing.latency_cycles[list(path)].sum())
    hops = len(path)
    return ends + links + hops * timing.guard_cycles + (hops - 1) * timing.pass_cycles


def spread(net: Network, load: float) -> Messages:
    gap_ps = net.least_gap_ps / load
    return uniform_messages(
        net.chips, Draws(1), mean_gap_ps=gap_ps, until_ps=10_000_000
    )


def test_the_bound_of_a_node_is_its_seven_wires() -> None:
    # 320 of 328 bytes are payload, on seven wires of 12.5 GB/s.
    assert net_of(8).bound_gb_per_s == pytest.approx(7 * 12.5 * 320 / 328)


def test_the_guard_band_covers_jitter_counters_and_the_drift_of_the_interval() -> None:
    # Jitter 33, counters 2 x 1 and 2, and 100 ppm of 160 epochs and a flight: 5.
    assert net_of(8).timing.guard_cycles == 33 + 4 + 5
    assert DESKEW_EPOCHS * 252 * 100 // 1_000_000 + 1 == 5


@pytest.mark.parametrize("vectors", [1, 7])
def test_an_exchange_within_a_node_waits_for_nothing_but_its_own_vectors(
    vectors: int,
) -> None:
    net = net_of(8)
    latencies = exchange_cycles(net, all_to_all(net.topology, net.routes, vectors))
    tail = serialisation_cycles(MACHINE, vectors - 1)
    assert latencies.tolist() == [least_cycles(net, 0, 1) + tail] * 56


@pytest.mark.parametrize("chips", [8, 72])
@pytest.mark.parametrize("load", [0.2, 0.6, 0.95])
def test_a_timetable_has_a_slot_for_every_pair_at_the_load_asked_for(
    chips: int, load: float
) -> None:
    net = net_of(chips)
    slots = timetable(net, load)
    assert len(slots.wire_cycles) == chips * (chips - 1)
    for pair, latency in slots.latency_cycles.items():
        assert latency >= least_cycles(net, *pair)
    # One message of each pair in a period and the deskews' share, to a cycle.
    per_chip = (chips - 1) * 320 / slots.period_cycles * (1 - 1 / DESKEW_EPOCHS) * 0.9
    asked = load * net.bound_gb_per_s
    assert asked <= per_chip * (1 + 1e-9)
    assert per_chip <= asked * (1 + 1 / slots.period_cycles)


@pytest.mark.parametrize("load", [0.4, 0.9])
def test_a_timetable_keeps_every_rule_of_the_links(load: float) -> None:
    net = net_of(72)
    slots = timetable(net, load)
    timing = net.timing
    taken: defaultdict[int, list[int]] = defaultdict(list)
    for pair, wires in slots.wire_cycles.items():
        path = net.routes.path(*pair)
        for link, wire in zip(path, wires, strict=True):
            taken[link].append(wire % slots.period_cycles)
        # Nothing is sent on before it can be there.
        flights = timing.latency_cycles[list(path[:-1])] + timing.guard_cycles
        waits = np.diff(wires) - flights - timing.pass_cycles
        assert (waits >= 0).all()
        assert slots.latency_cycles[pair] == least_cycles(net, *pair) + waits.sum()
    for cycles in taken.values():
        gaps = np.diff(sorted(cycles), append=min(cycles) + slots.period_cycles)
        assert gaps.min() >= serialisation_cycles(MACHINE, 1)


def test_more_load_than_deskews_and_whole_cycles_leave_is_refused() -> None:
    with pytest.raises(ScheduleError, match=r"ask for 0\.97\d at most"):
        timetable(net_of(72), 0.99)


def test_foreseen_messages_take_turns_on_every_wire() -> None:
    net = net_of(8)
    zero = np.zeros(3, dtype=np.int64)
    sent = Messages(source=zero, target=zero + 1, vectors=zero + 1, ready_ps=zero)
    least = least_cycles(net, 0, 1)
    assert foreseen_cycles(net, sent).tolist() == [least, least + 24, least + 48]


@pytest.mark.parametrize("chips", [8, 72])
def test_foreseen_messages_never_beat_an_empty_network(chips: int) -> None:
    net = net_of(chips)
    sent = spread(net, 0.1)
    ends = zip(sent.source.tolist(), sent.target.tolist(), strict=True)
    least = np.array([least_cycles(net, *pair) for pair in ends])
    latencies = foreseen_cycles(net, sent)
    assert (latencies >= least).all()
    assert np.median(latencies - least) == 0


def test_an_unforeseen_message_waits_for_the_next_slot_of_its_pair() -> None:
    net = net_of(72)
    slots = timetable(net, 0.9)
    start = slots.wire_cycles[3, 50][0] - net.timing.send_cycles
    fixed = slots.latency_cycles[3, 50]
    period = slots.period_cycles
    at = np.array([start, start + 1, start + 1, start + 5 * period]) + period
    sent = Messages(
        source=np.full(4, 3),
        target=np.full(4, 50),
        vectors=np.ones(4, dtype=np.int64),
        ready_ps=at * 10_000 // 9,
    )
    waits = unforeseen_cycles(net, slots, sent) - fixed
    assert waits.tolist() == [0, period - 1, 2 * period - 1, 0]


def test_an_unforeseen_message_waits_half_a_period_on_average() -> None:
    net = net_of(72)
    slots = timetable(net, 0.9)
    sent = spread(net, 0.01)
    ends = zip(sent.source.tolist(), sent.target.tolist(), strict=True)
    fixed = np.array([slots.latency_cycles[pair] for pair in ends])
    waits = unforeseen_cycles(net, slots, sent) - fixed
    noise = 4 * slots.period_cycles / (12 * len(sent)) ** 0.5
    # Of those who find the slot taken there are few at this load.
    assert waits.mean() == pytest.approx(slots.period_cycles / 2, abs=noise + 10)

"""Latencies of the same messages on a scheduled machine and on a reactive network.

The reactive network is the baseline model: the same wires and routes with queues.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.tables.columns import TableRow
from experiments.traffic.slot_timetable import (
    Timetable,
    timetable,
    unforeseen_cycles,
)
from experiments.traffic.traffic_schedule import (
    UNDISTURBED,
    Network,
    exchange_cycles,
    foreseen_cycles,
)
from fabric.random_streams import Draws
from fabric.reactive.machine_latency import (
    reactive_latency_ns,
    reactive_specs,
    unloaded_latency_ns,
)
from fabric.reactive.traffic import (
    Messages,
    all_to_all,
    journeys,
    uniform_messages,
)
from specs.arrays import Floats
from specs.units import PS_PER_NS, PS_PER_S, PS_PER_US

# Load of the timetable whose slots unforeseen messages use: the densest.
DENSEST_LOAD = 0.95
# Share of the time that is not counted, since its messages meet an empty network.
_WARM_UP = 0.2


class TrafficCase(NamedTuple):
    """Traffic that is run on one machine, scheduled and reactive.

    Attributes
    ----------
    topology, chips
        The machine.
    vectors
        Size of each message of the exchange.
    exchanges
        Number of seeds of the exchange.
    loads, runs, time_us
        Loads of the random traffic, number of seeds of each, and the time for which
        chips send.
    """

    topology: str
    chips: int
    vectors: int
    exchanges: int
    loads: tuple[float, ...]
    runs: int
    time_us: int


class LatencySamples(NamedTuple):
    """Latencies of all messages of one machine and traffic, with their table row."""

    row: TableRow
    latency_ns: Floats


def exchange_samples(
    net: Network, case: TrafficCase, seed: int
) -> list[LatencySamples]:
    """Return latencies of all-to-all traffic, scheduled and reactive.

    A direct all-gather has the same messages.
    """
    sent = all_to_all(net.topology, net.routes, case.vectors)
    size_bytes = case.vectors * net.machine.link.vector_bytes
    facts = {"traffic": "exchange", "bytes": size_bytes}
    scheduled_ns = _ns(net, exchange_cycles(net, sent))
    samples = [_exchange_of_runs(net, facts, "scheduled", scheduled_ns[np.newaxis])]
    journey = journeys(sent, net.routes)
    for name, spec in reactive_specs(net.machine, net.topology).items():
        latency_ns = np.array(
            [
                reactive_latency_ns(
                    net.machine, net.topology, spec, journey, seed + number
                )
                for number in range(case.exchanges)
            ]
        )
        samples.append(_exchange_of_runs(net, facts, name, latency_ns))
    return samples


def uniform_samples(net: Network, case: TrafficCase, seed: int) -> list[LatencySamples]:
    """Return latencies of uniform traffic by load, scheduled and reactive."""
    samples = []
    unloaded_ns = unloaded_latency_ns(net.machine, net.routes, net.topology)
    dense = timetable(net, DENSEST_LOAD)
    until_ps = case.time_us * PS_PER_US
    for load in case.loads:
        facts = {
            "traffic": "uniform",
            "bytes": net.machine.link.vector_bytes,
            "load_percent": 100 * load,
        }
        row = {**facts, "machine": "timetable"}
        samples.append(_timetable_samples(net, row, timetable(net, load), unloaded_ns))
        traffic = [
            uniform_messages(
                net.chips,
                Draws(seed + number),
                mean_gap_ps=net.least_gap_ps / load,
                until_ps=until_ps,
            )
            for number in range(case.runs)
        ]
        routed = [journeys(sent, net.routes) for sent in traffic]
        carried = {
            "foreseen": [_ns(net, foreseen_cycles(net, sent)) for sent in traffic],
            "unforeseen": [
                _ns(net, unforeseen_cycles(net, dense, sent)) for sent in traffic
            ],
        }
        for name, spec in reactive_specs(net.machine, net.topology).items():
            carried[name] = [
                reactive_latency_ns(
                    net.machine, net.topology, spec, journey, seed + number
                )
                for number, journey in enumerate(routed)
            ]
        for name, runs in carried.items():
            row = {**facts, "machine": name}
            samples.append(
                _random_samples(
                    net,
                    row,
                    traffic,
                    runs=runs,
                    until_ps=until_ps,
                    unloaded_ns=unloaded_ns,
                )
            )
    return samples


def _timetable_samples(
    net: Network,
    facts: TableRow,
    slots: Timetable,
    unloaded_ns: dict[tuple[int, int], float],
) -> LatencySamples:
    """Return the latencies of traffic by timetable, which recur in every period."""
    latency_ns = _ns(net, np.array(list(slots.latency_cycles.values())))
    least_ns = np.array([unloaded_ns[pair] for pair in slots.latency_cycles])
    payload_bytes = net.machine.link.vector_bytes * (len(net.chips) - 1)
    period_ns = slots.period_cycles * _cycle_ns(net)
    rate = payload_bytes / period_ns * UNDISTURBED
    return _samples(net, facts, latency_ns, rate, latency_ns - least_ns)


def _random_samples(
    net: Network,
    facts: TableRow,
    traffic: list[Messages],
    *,
    runs: list[Floats],
    until_ps: int,
    unloaded_ns: dict[tuple[int, int], float],
) -> LatencySamples:
    """Return the latencies of random traffic after the warm-up."""
    begin_ps = _WARM_UP * until_ps
    latencies, delays, rates = [], [], []
    for sent, latency_ns in zip(traffic, runs, strict=True):
        arrival_ps = sent.ready_ps + latency_ns * PS_PER_NS
        counted = sent.ready_ps >= begin_ps
        ends = zip(sent.source.tolist(), sent.target.tolist(), strict=True)
        least_ns = np.array([unloaded_ns[pair] for pair in ends])
        latencies.append(latency_ns[counted])
        delays.append((latency_ns - least_ns)[counted])
        count = np.count_nonzero((arrival_ps >= begin_ps) & (arrival_ps < until_ps))
        payload = count * net.machine.link.vector_bytes / len(net.chips)
        rates.append(payload * PS_PER_NS / (until_ps - begin_ps))
    rate = float(np.mean(rates))
    return _samples(net, facts, np.concatenate(latencies), rate, np.concatenate(delays))


def _exchange_of_runs(
    net: Network, facts: TableRow, name: str, latency_ns: Floats
) -> LatencySamples:
    """Return the latencies of all-to-all traffic, given as ``(runs, messages)``."""
    payload = facts["bytes"] * (len(net.chips) - 1)
    rate = float((payload / latency_ns.max(axis=1)).mean())
    samples = _samples(net, {**facts, "machine": name}, latency_ns.ravel(), rate)
    # All runs of a schedule are alike, so it has one.
    spread_ns = (latency_ns.max(axis=0) - latency_ns.min(axis=0)).max()
    return samples._replace(row={**samples.row, "between_runs_ns": spread_ns})


def _samples(
    net: Network,
    facts: TableRow,
    latency_ns: Floats,
    delivered_gb_per_s: float,
    delay_ns: Floats | None = None,
) -> LatencySamples:
    """Return latencies of traffic with their row: quantiles and delivered bandwidth.

    A delay is the latency beyond that of an empty reactive network with mean jitter.
    """
    middle, high = np.percentile(latency_ns, [50, 99])
    row = {
        **facts,
        "messages": len(latency_ns),
        "p50_ns": middle,
        "p99_ns": high,
        "max_ns": latency_ns.max(),
        "p99_over_p50": high / middle,
        "delivered_gb_per_s": delivered_gb_per_s,
        "carried_percent": 100 * delivered_gb_per_s / net.bound_gb_per_s,
    }
    if delay_ns is not None:
        row["p50_delay_ns"], row["p99_delay_ns"] = np.percentile(delay_ns, [50, 99])
    return LatencySamples(row, latency_ns)


def _ns(net: Network, cycles: NDArray[np.int64]) -> Floats:
    """Return cycles of traffic in ns."""
    return np.asarray(cycles * _cycle_ns(net), dtype=np.float64)


def _cycle_ns(net: Network) -> float:
    """Return the nominal clock period for traffic, in ns."""
    return PS_PER_S / PS_PER_NS / net.machine.chip.clock_hz

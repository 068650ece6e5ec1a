"""The same messages on a scheduled machine and its reactive twin: rows of a table."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.analysis.traffic_schedule import (
    UNDISTURBED,
    Network,
    Timetable,
    all_to_all,
    exchanged_cycles,
    foreseen_cycles,
    timetable,
    unforeseen_cycles,
)
from experiments.tables.columns import TableRow
from fabric.random_streams import Draws
from fabric.reactive.network import ReactiveSpec, simulate_reactive
from fabric.reactive.traffic import (
    Journeys,
    Messages,
    drawn_latency_ps,
    journeys,
    mean_latency_ps,
    uniform_messages,
)
from specs.arrays import Floats
from specs.units import PS_PER_NS, PS_PER_S, PS_PER_US, ceil_div

# An unforeseen message finds the slots of the densest timetable.
DENSEST_LOAD = 0.95
# What comes first finds an empty network: a part of the time that is not counted.
_WARM_UP = 0.2


class TrafficCase(NamedTuple):
    """What is run on one machine.

    Attributes
    ----------
    topology, chips
        The machine.
    vectors
        Size of each message of the exchange.
    exchanges
        Seeds of the exchange.
    loads, runs, time_us
        Loads of the random traffic, seeds of each, and for how long chips send.
    """

    topology: str
    chips: int
    vectors: int
    exchanges: int
    loads: tuple[float, ...]
    runs: int
    time_us: int


class LatencySamples(NamedTuple):
    """Latencies that were measured, with their row of the table."""

    row: TableRow
    latency_ns: Floats


def exchange(net: Network, case: TrafficCase, seed: int) -> list[LatencySamples]:
    """Return what a synchronous all-to-all takes, scheduled and reactive.

    A direct all-gather has the same messages.
    """
    sent = all_to_all(net, case.vectors)
    size_bytes = case.vectors * net.machine.link.vector_bytes
    facts = {"traffic": "exchange", "bytes": size_bytes}
    scheduled_ns = _ns(net, exchanged_cycles(net, sent))
    found = [_exchanged(net, facts, "scheduled", scheduled_ns[np.newaxis])]
    way = journeys(sent, net.routes)
    for name, spec in twins(net).items():
        latency_ns = np.array(
            [
                _reactive_ns(net, spec, way, seed + number)
                for number in range(case.exchanges)
            ]
        )
        found.append(_exchanged(net, facts, name, latency_ns))
    return found


def uniform(net: Network, case: TrafficCase, seed: int) -> list[LatencySamples]:
    """Return what random traffic takes at each load, scheduled and reactive."""
    found = []
    empty_ns = _empty_ns(net)
    dense = timetable(net, DENSEST_LOAD)
    until_ps = case.time_us * PS_PER_US
    for load in case.loads:
        facts = {
            "traffic": "uniform",
            "bytes": net.machine.link.vector_bytes,
            "load_percent": 100 * load,
        }
        row = {**facts, "machine": "timetable"}
        found.append(_spaced(net, row, timetable(net, load), empty_ns))
        traffic = [
            uniform_messages(
                net.chips,
                Draws(seed + number),
                mean_gap_ps=net.least_gap_ps / load,
                until_ps=until_ps,
            )
            for number in range(case.runs)
        ]
        ways = [journeys(sent, net.routes) for sent in traffic]
        carried = {
            "foreseen": [_ns(net, foreseen_cycles(net, sent)) for sent in traffic],
            "unforeseen": [
                _ns(net, unforeseen_cycles(net, dense, sent)) for sent in traffic
            ],
        }
        for name, spec in twins(net).items():
            carried[name] = [
                _reactive_ns(net, spec, way, seed + number)
                for number, way in enumerate(ways)
            ]
        for name, runs in carried.items():
            row = {**facts, "machine": name}
            found.append(
                _settled(
                    net, row, traffic, runs=runs, until_ps=until_ps, empty_ns=empty_ns
                )
            )
    return found


def twins(net: Network) -> dict[str, ReactiveSpec]:
    """Return the reactive networks: with few places, and with enough, by name.

    Enough lets a wire never wait for a credit: a vector on its way to the next port
    keeps its place for a link, a router and the way of the credit back.
    """
    few = ReactiveSpec.of_machine(net.machine)
    link_ps = int(mean_latency_ps(net.machine, net.topology).max())
    enough = ceil_div(2 * link_ps + few.pass_ps, few.vector_ps)
    places = sorted({few.buffer_vectors, enough})
    return {
        f"reactive {count}": ReactiveSpec.of_machine(net.machine, buffer_vectors=count)
        for count in places
    }


def _empty_ns(net: Network) -> dict[tuple[int, int], float]:
    """Return what a vector takes through an empty reactive network, by its ends."""
    spec = ReactiveSpec.of_machine(net.machine)
    link_ps = mean_latency_ps(net.machine, net.topology)
    chips = net.chips.tolist()
    return {
        (a, b): spec.unloaded_ps(link_ps[list(net.routes.path(a, b))]) / PS_PER_NS
        for a in chips
        for b in chips
        if a != b
    }


def _spaced(
    net: Network,
    facts: TableRow,
    slots: Timetable,
    empty_ns: dict[tuple[int, int], float],
) -> LatencySamples:
    """Return the row of a timetable, whose latencies recur in every period."""
    latency_ns = _ns(net, np.array(list(slots.latency_cycles.values())))
    least_ns = np.array([empty_ns[pair] for pair in slots.latency_cycles])
    payload_bytes = net.machine.link.vector_bytes * (len(net.chips) - 1)
    period_ns = slots.period_cycles * _cycle_ns(net)
    rate = payload_bytes / period_ns * UNDISTURBED
    return _measured(net, facts, latency_ns, rate, latency_ns - least_ns)


def _settled(
    net: Network,
    facts: TableRow,
    traffic: list[Messages],
    *,
    runs: list[Floats],
    until_ps: int,
    empty_ns: dict[tuple[int, int], float],
) -> LatencySamples:
    """Return the row of random traffic, without what met an empty network."""
    begin_ps = _WARM_UP * until_ps
    latencies, delays, rates = [], [], []
    for sent, latency_ns in zip(traffic, runs, strict=True):
        there_ps = sent.ready_ps + latency_ns * PS_PER_NS
        counted = sent.ready_ps >= begin_ps
        ends = zip(sent.source.tolist(), sent.target.tolist(), strict=True)
        least_ns = np.array([empty_ns[pair] for pair in ends])
        latencies.append(latency_ns[counted])
        delays.append((latency_ns - least_ns)[counted])
        count = np.count_nonzero((there_ps >= begin_ps) & (there_ps < until_ps))
        payload = count * net.machine.link.vector_bytes / len(net.chips)
        rates.append(payload * PS_PER_NS / (until_ps - begin_ps))
    rate = float(np.mean(rates))
    return _measured(
        net, facts, np.concatenate(latencies), rate, np.concatenate(delays)
    )


def _exchanged(
    net: Network, facts: TableRow, name: str, latency_ns: Floats
) -> LatencySamples:
    """Return the row of an exchange; latencies have shape ``(runs, messages)``."""
    payload = facts["bytes"] * (len(net.chips) - 1)
    rate = float((payload / latency_ns.max(axis=1)).mean())
    made = _measured(net, {**facts, "machine": name}, latency_ns.ravel(), rate)
    # A schedule has one run: every other is the same.
    spread_ns = (latency_ns.max(axis=0) - latency_ns.min(axis=0)).max()
    return made._replace(row={**made.row, "between_runs_ns": spread_ns})


def _measured(
    net: Network,
    facts: TableRow,
    latency_ns: Floats,
    delivered_gb_per_s: float,
    delay_ns: Floats | None = None,
) -> LatencySamples:
    """Return a row of the table.

    Delays are what latencies have beyond an empty reactive network of mean jitter.
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


def _reactive_ns(net: Network, spec: ReactiveSpec, way: Journeys, seed: int) -> Floats:
    latency_ps = drawn_latency_ps(net.machine, net.topology, way, Draws(seed))
    credit_ps = mean_latency_ps(net.machine, net.topology)
    result = simulate_reactive(spec, way, latency_ps=latency_ps, credit_ps=credit_ps)
    return result.latency_ps / PS_PER_NS


def _ns(net: Network, cycles: NDArray[np.int64]) -> Floats:
    return np.asarray(cycles * _cycle_ns(net), dtype=np.float64)


def _cycle_ns(net: Network) -> float:
    return PS_PER_S / PS_PER_NS / net.machine.chip.clock_hz

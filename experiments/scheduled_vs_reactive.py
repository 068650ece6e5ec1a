"""What does a static schedule buy over a network with queues, credits and arbitration?

Both carry the same messages over the same wires by the same minimal routes. First every
chip sends to every other at once, as a tensor group does; then messages of one vector
to any chip, at random times, up to the bound that the busiest link sets. A schedule may
know the pattern and space it (timetable), only know when messages will be ready
(foreseen), or nothing, so that a message waits for the next slot of its pair
(unforeseen). The reactive network has places for as many vectors in each virtual
channel as the receive FIFO, or as many as a credit's round trip takes.
"""

from typing import Any, NamedTuple

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from experiments.figure import STYLE
from experiments.script import run_script
from experiments.timetable import (
    UNDISTURBED,
    Network,
    all_to_all,
    exchanged_cycles,
    foreseen_cycles,
    network,
    timetable,
    unforeseen_cycles,
)
from fabric.draws import Draws
from fabric.reactive import ReactiveSpec, simulate_reactive
from fabric.reactive_traffic import (
    Journeys,
    Messages,
    drawn_latency_ps,
    journeys,
    mean_latency_ps,
    uniform_messages,
)
from specs.machine import load_machine
from specs.units import PS_PER_NS, PS_PER_S, PS_PER_US, ceil_div
from topologies.selection import select_topology

Floats = NDArray[np.float64]
Row = dict[str, Any]


class Case(NamedTuple):
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


# Shares of a tensor of 8192 FP16 elements over eight chips are 7 vectors. Neither time
# is as long as the interval between two deskews, so that none falls into it.
LOADS = (0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
CASES = (
    Case("node", 8, 7, 10, LOADS[::2], 2, 40),
    Case("rack", 72, 7, 10, LOADS, 2, 40),
    Case("nodes33", 264, 1, 4, (0.3, 0.6, 0.9), 1, 15),
)
QUICK_CASES = (
    Case("node", 8, 7, 2, (0.5, 0.9), 1, 5),
    Case("rack", 72, 1, 2, (0.5, 0.9), 1, 5),
)
# Which case is drawn.
DRAWN = "rack"
# An unforeseen message finds the slots of the densest timetable.
DENSEST_LOAD = 0.95
# What comes first finds an empty network: a part of the time that is not counted.
_WARM_UP = 0.2
SHOWN = {
    "topology": "topology",
    "traffic": "traffic",
    "load_percent": "load %",
    "machine": "machine",
    "p50_ns": "p50 ns",
    "p99_ns": "p99 ns",
    "max_ns": "max ns",
    "delivered_gb_per_s": "GB/s",
    "between_runs_ns": "+/- ns",
}


class Measured(NamedTuple):
    """Latencies that were measured, with their row of the table."""

    row: Row
    latency_ns: Floats


def experiment(seed: int, quick: bool) -> tuple[pd.DataFrame, Figure]:
    """Return latencies and throughput of every machine, and the picture of them."""
    machine = load_machine()
    rows: list[Row] = []
    drawn: list[Measured] = []
    for case in QUICK_CASES if quick else CASES:
        net = network(select_topology(case.chips, case.topology), machine)
        exchanged = exchange(net, case, seed)
        measured = [*exchanged, *uniform(net, case, seed)]
        facts = {"topology": case.topology, "chips": case.chips}
        rows += [{**facts, **each.row} for each in measured]
        if case.topology == DRAWN:
            drawn = exchanged
    table = pd.DataFrame(rows)
    return table, _figure(table, drawn)


def exchange(net: Network, case: Case, seed: int) -> list[Measured]:
    """Return what a synchronous all-to-all takes, scheduled and reactive.

    A direct all-gather has the same messages.
    """
    sent = all_to_all(net, case.vectors)
    facts = {"traffic": "all-to-all", "vectors": case.vectors}
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


def uniform(net: Network, case: Case, seed: int) -> list[Measured]:
    """Return what random traffic takes at each load, scheduled and reactive."""
    found = []
    for load in case.loads:
        traffic = [
            uniform_messages(
                net.chips,
                Draws(seed + number),
                mean_gap_ps=net.least_gap_ps / load,
                until_ps=case.time_us * PS_PER_US,
            )
            for number in range(case.runs)
        ]
        found += _at_load(net, load, traffic, case.time_us * PS_PER_US, seed)
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


def _at_load(
    net: Network, load: float, traffic: list[Messages], until_ps: int, seed: int
) -> list[Measured]:
    spaced, dense = timetable(net, load), timetable(net, DENSEST_LOAD)
    fixed_ns = _ns(net, np.array(list(spaced.latency_cycles.values())))
    period_ps = spaced.period_cycles * PS_PER_S / net.machine.chip.clock_hz
    payload_bytes = net.machine.link.vector_bytes * (len(net.chips) - 1)
    carried = {
        "foreseen": [_ns(net, foreseen_cycles(net, sent)) for sent in traffic],
        "unforeseen": [
            _ns(net, unforeseen_cycles(net, dense, sent)) for sent in traffic
        ],
    }
    for name, spec in twins(net).items():
        carried[name] = [
            _reactive_ns(net, spec, journeys(sent, net.routes), seed + number)
            for number, sent in enumerate(traffic)
        ]
    facts = {"traffic": "uniform", "load_percent": 100 * load, "vectors": 1}
    rate = payload_bytes * PS_PER_NS / period_ps * UNDISTURBED
    found = [_measured({**facts, "machine": "timetable"}, fixed_ns, rate)]
    for name, runs in carried.items():
        settled, rates = [], []
        for sent, latency_ns in zip(traffic, runs, strict=True):
            there_ps = sent.ready_ps + latency_ns * PS_PER_NS
            begin_ps = _WARM_UP * until_ps
            settled.append(latency_ns[sent.ready_ps >= begin_ps])
            count = np.count_nonzero((there_ps >= begin_ps) & (there_ps < until_ps))
            payload = count * net.machine.link.vector_bytes / len(net.chips)
            rates.append(payload * PS_PER_NS / (until_ps - begin_ps))
        row = {**facts, "machine": name}
        found.append(_measured(row, np.concatenate(settled), float(np.mean(rates))))
    return found


def _exchanged(net: Network, facts: Row, name: str, latency_ns: Floats) -> Measured:
    """Return the row of an exchange; latencies have shape ``(runs, messages)``."""
    payload = facts["vectors"] * net.machine.link.vector_bytes * (len(net.chips) - 1)
    rate = float((payload / latency_ns.max(axis=1)).mean())
    made = _measured({**facts, "machine": name}, latency_ns.ravel(), rate)
    # A schedule has one run: every other is the same.
    spread_ns = (latency_ns.max(axis=0) - latency_ns.min(axis=0)).max()
    return made._replace(row={**made.row, "between_runs_ns": spread_ns})


def _measured(facts: Row, latency_ns: Floats, delivered_gb_per_s: float) -> Measured:
    middle, high = np.percentile(latency_ns, [50, 99])
    row = {
        **facts,
        "messages": len(latency_ns),
        "p50_ns": middle,
        "p99_ns": high,
        "max_ns": latency_ns.max(),
        "p99_over_p50": high / middle,
        "delivered_gb_per_s": delivered_gb_per_s,
    }
    return Measured(row, latency_ns)


def _reactive_ns(net: Network, spec: ReactiveSpec, way: Journeys, seed: int) -> Floats:
    latency_ps = drawn_latency_ps(net.machine, net.topology, way, Draws(seed))
    credit_ps = mean_latency_ps(net.machine, net.topology)
    result = simulate_reactive(spec, way, latency_ps=latency_ps, credit_ps=credit_ps)
    return result.latency_ps / PS_PER_NS


def _ns(net: Network, cycles: NDArray[np.int64]) -> Floats:
    cycle_ns = PS_PER_S / PS_PER_NS / net.machine.chip.clock_hz
    return np.asarray(cycles * cycle_ns, dtype=np.float64)


def _figure(table: pd.DataFrame, exchanged: list[Measured]) -> Figure:
    part = table[table["topology"] == DRAWN]
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(12, 5.2), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=[1, 1.25])
        for each in exchanged:
            latency_ns = np.sort(each.latency_ns)
            share = np.arange(1, len(latency_ns) + 1) / len(latency_ns)
            left.step(latency_ns / 1e3, share, where="post", label=each.row["machine"])
        size_bytes = 320 * exchanged[0].row["vectors"]
        chips = int(part["chips"].iloc[0])
        left.set(
            xlabel="latency of a message (us)",
            ylabel="share of messages",
            ylim=(0, 1.02),
            xlim=(0, None),
        )
        left.set_title(
            f"{size_bytes:,} B from each of {chips} chips to each, at once", loc="left"
        )
        left.legend(frameon=False, loc="lower right")
        _draw_loads(right, part[part["traffic"] == "uniform"])
    return figure


def _draw_loads(axes: Axes, table: pd.DataFrame) -> None:
    """Draw the median of each machine as a line, and its 99th percentile dashed."""
    for number, (name, rows) in enumerate(table.groupby("machine", sort=False)):
        color = f"C{number}"
        load = rows["load_percent"]
        axes.plot(load, rows["p50_ns"] / 1e3, "o-", color=color, ms=4, label=str(name))
        axes.plot(load, rows["p99_ns"] / 1e3, "o--", color=color, ms=4)
    axes.plot([], [], "k-", label="median")
    axes.plot([], [], "k--", label="99th percentile")
    axes.set(
        xlabel="load (% of the bound that the busiest link sets)",
        ylabel="latency of a message (us)",
        yscale="log",
    )
    axes.set_title("One vector at random times to any chip", loc="left")
    axes.grid(alpha=0.3, which="both")
    axes.legend(frameon=False, ncols=2, loc="upper left")


if __name__ == "__main__":
    run_script("scheduled_vs_reactive", __doc__ or "", experiment, SHOWN)

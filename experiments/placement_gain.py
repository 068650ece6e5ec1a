"""What does a token gain if the chips of a plan are chosen by the topology?

Each plan is compiled three times: on the chips in the order of the machine, on placed
chips, and on chips in random order. A placement puts the chips of a group few hops
apart, KV-head groups and consecutive stages next to each other, and the members of a
stage transfer on separate links. One that is not faster than the order of the machine
is dropped.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import matplotlib.style
import networkx as nx
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from compiler.compile_decode import compile_token
from compiler.ir.schedule import Schedule
from compiler.ir.timeline import TransportEntry
from compiler.search.placement_search import best_placed, on_chips
from compiler.verify import verify
from experiments.plots.run_figure import STYLE
from experiments.run.preparation import compile_scenario
from experiments.script.experiment_script import run_script
from experiments.tables.columns import TableRow
from specs.errors import RackError
from specs.scenario import Scenario
from topologies.io.networkx_graph import from_networkx
from topologies.topology import Topology
from topologies.validation import PORTS_PER_CHIP

COLUMNS = {
    "model": "model",
    "topology": "wiring",
    "strategy": "strategy",
    "naive_cycles": "in order",
    "gain_percent": "gain %",
    "random_loss_percent": "random +%",
}


class PlacementCase(NamedTuple):
    """Plan to place, and its machine.

    Attributes
    ----------
    model, chips, topology, strategy
        As in a scenario.
    wired
        Builds the topology from a seed, None if `topology` names one.
    spares
        Nodes of each rack that stay idle.
    machine
        Name of the shipped machine.
    """

    model: str
    chips: int
    topology: str
    strategy: str
    wired: Callable[[int], Topology] | None = None
    spares: int = 0
    machine: str = "groqrack"


def _random_regular(seed: int) -> Topology:
    """Return the experiment's random regular topology: 72 chips with 11 cables each.

    References
    ----------
    .. [1] A. Singla, C.-Y. Hong, L. Popa and P. B. Godfrey, "Jellyfish: Networking
       Data Centers Randomly," NSDI 2012.
    """
    graph: nx.Graph[int] = nx.random_regular_graph(PORTS_PER_CHIP, 72, seed=seed)
    return from_networkx(graph, name="random regular")


def _llama_70b(
    *strategies: str, topology: str = "auto", spares: int = 0
) -> list[PlacementCase]:
    """Return the experiment's cases of Llama-2-70B on 576 chips."""
    return [
        PlacementCase("llama-2-70b", 576, topology, strategy, spares=spares)
        for strategy in strategies
    ]


CASES = [
    *_llama_70b(
        "tensor=4,pipeline=144",
        "tensor=6,pipeline=96",
        "tensor=8,pipeline=72",
        "tensor=9,pipeline=64",
        "tensor=12,pipeline=48",
        "tensor=16,pipeline=36",
        "tensor=24,pipeline=24",
        "tensor=36,pipeline=16",
        "tensor=72,pipeline=5",
        "tensor=72,pipeline=8",
    ),
    *_llama_70b("tensor=8,pipeline=72", spares=1),
    *_llama_70b("tensor=8,pipeline=72", topology="torus:8x8x9"),
    PlacementCase("llama-2-7b", 72, "rack", "tensor=8,pipeline=9"),
    PlacementCase("llama-2-7b", 72, "rack", "tensor=12,pipeline=6"),
    PlacementCase("llama-2-7b", 72, "rack", "tensor=36,pipeline=2"),
    PlacementCase("llama-2-7b", 72, "torus:8x9", "tensor=8,pipeline=9"),
    PlacementCase("llama-2-7b", 72, "torus:8x9", "tensor=12,pipeline=6"),
    PlacementCase("llama-2-7b", 64, "hypercube:6", "tensor=8,pipeline=8"),
    PlacementCase("llama-2-7b", 72, "random", "tensor=8,pipeline=9", _random_regular),
    PlacementCase("mixtral-8x7b", 264, "nodes33", "tensor=12,pipeline=22"),
    PlacementCase("llama-2-70b", 256, "lpx", "tensor=8,pipeline=32", machine="lpx"),
    PlacementCase("llama-2-70b", 252, "lpx", "tensor=12,pipeline=21", machine="lpx"),
    PlacementCase("bert-large", 72, "rack", "tensor=4,pipeline=6"),
]
QUICK_CASES = [case for case in CASES if case.model == "llama-2-7b"][:4]


def experiment(seed: int, quick: bool) -> tuple[pd.DataFrame, Figure]:
    """Run the experiment: cycles of plans on chips in order, placed and at random."""
    table = pd.DataFrame(
        [_row(case, seed) for case in (QUICK_CASES if quick else CASES)]
    )
    return table, _figure(table)


def _row(case: PlacementCase, seed: int) -> TableRow:
    """Return the experiment's row of one case."""
    scenario = Scenario(
        model=case.model,
        machine=case.machine,
        chips=case.chips,
        topology="auto" if case.wired else case.topology,
        strategy=case.strategy,
        context=512 if case.model.startswith("bert") else 4096,
        settings={"spares": case.spares},
    )
    prepared, naive = compile_scenario(
        scenario, case.wired(seed) if case.wired else None
    )
    machine, topology = prepared.machine, prepared.topology
    placed = best_placed(naive)
    verify(
        placed.schedule.program,
        placed.schedule.topology,
        machine,
        plan=placed.schedule.plan,
    )
    order = np.random.default_rng(seed).permutation(topology.active)
    shuffled = replace(topology, active=order)
    try:
        at_random = compile_token(on_chips(naive.plan, shuffled), shuffled)
        random_cycles = float(at_random.latency_cycles)
    except RackError:
        random_cycles = np.nan
    naive_cycles = placed.naive_cycles
    return {
        "model": case.model,
        "machine": machine.name,
        "chips": case.chips,
        "spares": case.spares,
        "topology": topology.name,
        "strategy": str(prepared.plan.strategy),
        "naive_cycles": naive_cycles,
        "placed_cycles": placed.schedule.latency_cycles,
        "random_cycles": random_cycles,
        "gain_cycles": placed.gain_cycles,
        "gain_percent": 100 * placed.gain_cycles / naive_cycles,
        "random_loss_percent": 100 * (random_cycles / naive_cycles - 1),
        "exchange_cycles": _transfer_cycles(naive)
        - _transfer_cycles(naive, *_BETWEEN_STAGES),
        "placed_exchange_cycles": _transfer_cycles(placed.schedule)
        - _transfer_cycles(placed.schedule, *_BETWEEN_STAGES),
        "hand_over_hops": _mean_hops(naive, "hand_over"),
        "placed_hand_over_hops": _mean_hops(placed.schedule, "hand_over"),
        "way_back_hops": _mean_hops(naive, "way_back"),
        "placed_way_back_hops": _mean_hops(placed.schedule, "way_back"),
    }


# Names of stage transfers and token returns; all other phases are exchanges.
_BETWEEN_STAGES = ("hand_over", "way_back")


def _transports(schedule: Schedule, *names: str) -> list[TransportEntry]:
    """Return the experiment's transfers with these names, or all of them."""
    return [
        entry
        for entry in schedule.timeline.entries
        if isinstance(entry, TransportEntry) and (not names or entry.name in names)
    ]


def _transfer_cycles(schedule: Schedule, *names: str) -> int:
    """Return the experiment's cycles of transfers with these names, or of all."""
    return sum(
        entry.transport.duration_cycles for entry in _transports(schedule, *names)
    )


def _mean_hops(schedule: Schedule, name: str) -> float:
    """Return the experiment's mean hops of the longest message of transfers."""
    hops = [entry.transport.hops for entry in _transports(schedule, name)]
    return float(np.mean(hops)) if hops else np.nan


def _figure(table: pd.DataFrame) -> Figure:
    """Return the experiment's figure of its table."""
    labels = [
        f"{row.model}, {row.topology}{', spares' if row.spares else ''}, {row.strategy}"
        for row in table.itertuples()
    ]
    place = np.arange(len(table))
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(11, 1.8 + 0.3 * len(table)), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        left.barh(place, table["gain_percent"])
        left.bar_label(left.containers[0], fmt="%.2f", padding=3, fontsize=8)
        left.set_yticks(place, labels, fontsize=8)
        left.invert_yaxis()
        left.margins(x=0.12)
        left.set(xlabel="cycles of a token less than in order (%)")
        left.set_title("Placed chips: never slower", loc="left")
        right.barh(place, table["random_loss_percent"], color="C1")
        right.bar_label(right.containers[0], fmt="%.0f", padding=3, fontsize=8)
        right.margins(x=0.12)
        right.set(xlabel="cycles of a token more than in order (%)")
        right.set_title("Chips in random order", loc="left")
        for axes in (left, right):
            axes.grid(axis="x", alpha=0.3)
    return figure


if __name__ == "__main__":
    run_script("placement_gain", __doc__ or "", experiment, COLUMNS, digits=2)

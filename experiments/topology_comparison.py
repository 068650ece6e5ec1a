"""What does the topology contribute, with the same model on the same chips?

At equal chips each wiring is as it is usually built; at equal cables each has the 5.5
cables a chip of our own, or what comes nearest and its ports allow, and the picture
says by how much it differs. Llama-2-7B runs on 64 chips, with communication among eight
chips or among all of them, and Llama-2-70B on 576. On each topology the chips are
placed by its own paths (``--placement auto``). A machine with more chips is described
as a whole. Options name another model, machine, numbers of chips, and topologies.
"""

import math
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from experiments.plots.topology_comparison import (
    EQUAL_CABLES,
    EQUAL_CHIPS,
    topology_comparison_figure,
)
from experiments.run.scenario_inputs import machine_of, model_of, scenario_of
from experiments.script.checkpoint import Checkpoint
from experiments.script.experiment_script import Choosable, Subject, run_script
from experiments.tables.columns import TableRow
from experiments.tables.scenario_rows import scenario_row
from specs.errors import PlanError, TopologyError
from specs.scenario import Scenario
from topologies.cables import CHIPS_PER_NODE, CHIPS_PER_RACK
from topologies.metrics.link_load import uniform_traffic
from topologies.metrics.summary import describe
from topologies.selection import select_topology, whole_machine_chips

COLUMNS = {
    "topology": "topology",
    "equal": "equal",
    "strategy": "strategy",
    "mean_hops": "hops",
    "uniform_bound_gb_per_s": "GB/s",
    "latency_us": "token us",
}


class Comparison(NamedTuple):
    """Topologies to compare for one model on one number of chips.

    Attributes
    ----------
    chips, model
        Chips, and the model that runs on them.
    strategies
        Strategies, with communication among more and more chips.
    wirings
        Names of topologies by what is kept equal. The first of each is the one of the
        machine, with which the others are compared.
    """

    chips: int
    model: str
    strategies: tuple[str, ...]
    wirings: dict[str, tuple[str, ...]]


SMALL = Comparison(
    chips=64,
    model="llama-2-7b",
    strategies=("tensor=8,pipeline=8", "tensor=64,pipeline=1"),
    wirings={
        EQUAL_CHIPS: (
            *("rack", "nodes33", "dragonfly"),
            *("torus:8x8", "torus:4x4x4", "hypercube:6"),
            *("flattened-butterfly:4x4x4", "fat-tree:4x3"),
        ),
        EQUAL_CABLES: (
            *("rack", "torus:8x8*2", "hypercube:6"),
            *("flattened-butterfly:8x4x2", "fat-tree:4x3*2"),
        ),
    },
)
LARGE = Comparison(
    chips=576,
    model="llama-2-70b",
    strategies=("tensor=8,pipeline=72",),
    wirings={
        EQUAL_CHIPS: (
            *("dragonfly", "dragonfly:palmtree"),
            *("torus:24x24", "torus:9x8x8", "hypercube:10", "fat-tree:5x4"),
        ),
        EQUAL_CABLES: (
            *("dragonfly", "torus:24x24*2", "hypercube:10"),
            *("flattened-butterfly:4x3x3x2x2x2x2", "fat-tree:5x4"),
        ),
    },
)


@Choosable.comparing
def experiment(
    seed: int, quick: bool, checkpoint: Checkpoint, subject: Subject
) -> tuple[pd.DataFrame, Figure]:
    """Run the experiment: latency by wiring and strategy, and its picture."""
    rows: list[TableRow] = []
    for comparison in _comparisons(subject, quick=quick):
        names = dict.fromkeys(chain.from_iterable(comparison.wirings.values()))
        common: dict[str, str | int] = {
            "model": comparison.model,
            "chips": comparison.chips,
            "tokens": 1,
        }
        common |= {"seed": seed, "engine": "replay", "placement": "auto"}
        if "machine" in subject.scenario:
            common["machine"] = subject.scenario["machine"]
        of_name = {
            name: [
                checkpoint.result(_row, _scenario(common, name, strategy))
                for strategy in comparison.strategies
            ]
            for name in names
        }
        for equal, listed in comparison.wirings.items():
            first = of_name[listed[0]][0]["cables_per_chip"]
            rows += [
                {
                    "model": comparison.model,
                    "topology": name,
                    "equal": equal,
                    **row,
                    "more_cables_percent": 100 * (row["cables_per_chip"] / first - 1),
                }
                for name in listed
                for row in of_name[name]
            ]
    table = pd.DataFrame(rows)
    if not table["feasible"].any():
        raise PlanError(
            f"{rows[0]['model']} runs on none of these topologies; name other --chips "
            f"or another --model: {rows[0]['reason']}"
        )
    return table, topology_comparison_figure(table)


def _comparisons(subject: Subject, *, quick: bool) -> list[Comparison]:
    """Return the comparisons that an experiment is asked for, or its own."""
    own = [SMALL._replace(strategies=SMALL.strategies[:1])] if quick else [SMALL, LARGE]
    model = subject.scenario.get("model")
    if not subject.chips and not subject.topologies:
        return [each._replace(model=model or each.model) for each in own]
    fixed = [whole_machine_chips(name) for name in subject.topologies]
    sizes = [chips for chips in fixed if chips is not None]
    asked = subject.chips or (min(sizes, default=SMALL.chips),)
    comparisons = []
    for chips in asked:
        usual = LARGE if chips >= LARGE.chips else SMALL
        group = min(CHIPS_PER_NODE, chips)
        strategies = [f"tensor={group},pipeline={chips // group}"]
        if group < chips <= CHIPS_PER_RACK and not quick:
            strategies.append(f"tensor={chips},pipeline=1")
        comparisons.append(
            Comparison(
                chips=chips,
                model=model or usual.model,
                strategies=tuple(strategies),
                wirings={EQUAL_CHIPS: subject.topologies or tuple(_usual(chips))},
            )
        )
    return comparisons


def _usual(chips: int) -> Iterator[str]:
    """Yield names of topologies to compare on any number of chips, our own first."""
    yield "rack" if chips <= CHIPS_PER_RACK else "dragonfly"
    flat = _sides(chips, 2)
    if min(flat) > 1:
        yield "torus:" + "x".join(map(str, flat))
    deep = _sides(chips, 3)
    if min(deep) > 1:
        yield "torus:" + "x".join(map(str, deep))
    yield f"hypercube:{max(1, math.ceil(math.log2(chips)))}"


def _sides(chips: int, dimensions: int) -> list[int]:
    """Return the sides of a torus of that many chips, about as equal as they divide."""
    if dimensions == 1:
        return [chips]
    # The smallest divisor from the root on, rounded; the others share the rest.
    root = round(chips ** (1 / dimensions))
    side = next(n for n in range(root, chips + 1) if chips % n == 0)
    return sorted([side, *_sides(chips // side, dimensions - 1)], reverse=True)


def _scenario(
    common: Mapping[str, str | int], topology: str, strategy: str
) -> Scenario:
    """Return the experiment's scenario of a topology and a strategy."""
    content = {**common, "topology": topology, "strategy": strategy}
    return scenario_of(content, "topology_comparison")


def _row(scenario: Scenario) -> TableRow:
    """Return the experiment's row of a scenario: topology metrics, and latency."""
    name, chips = scenario.topology, scenario.chips
    machine, model = machine_of(scenario), model_of(scenario)
    # A dragonfly has at least two racks.
    least = 2 * CHIPS_PER_RACK if name.startswith("dragonfly") else chips
    whole = whole_machine_chips(name) or max(chips, least)
    if whole < chips:
        raise TopologyError(
            f"{name} has {whole:,} chips, and {chips:,} are compared; ask for "
            f"--chips {whole} at most"
        )
    topology = select_topology(whole, name, ports_per_chip=machine.chip.ports)
    described, traffic = describe(topology), uniform_traffic(topology)
    rate = machine.line.payload_gb_per_s
    context = min(scenario.context, model.max_context_tokens)
    return {
        "machine_chips": topology.chips,
        "cables_per_chip": topology.links / topology.active_chips,
        "ports": described.degree["max"],
        "diameter_hops": described.diameter_hops,
        "mean_hops": traffic.mean_hops,
        "bisection_links": described.bisection_links,
        "uniform_bound_gb_per_s": rate * traffic.bound_links,
        "uniform_minimal_gb_per_s": rate * traffic.minimal_links,
        **scenario_row(scenario.model_copy(update={"context": context}), topology),
    }


if __name__ == "__main__":
    run_script("topology_comparison", __doc__ or "", experiment, COLUMNS)

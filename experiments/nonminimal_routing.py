"""From which size on does a tensor arrive sooner over several paths of a node?

The paths are the direct link and up to six two-hop paths over the other chips of the
node. The latency of a relay hop is not published: the smallest tensor that gains is
shown over the range of possible latencies.
"""

import matplotlib.style
import pandas as pd
from matplotlib.figure import Figure

from experiments.plots.run_figure import STYLE
from experiments.run.collective import CollectiveRun, run_collective
from experiments.script.experiment_script import run_script
from experiments.validation.network_latency import first_spread_bytes
from specs.machine import MachineSpec, load_machine
from specs.units import NS_PER_US, PS_PER_NS
from topologies.builders.node import node_topology

PATHS = (1, 2, 3, 5, 7)
QUICK_PATHS = (1, 2, 7)
VECTORS = (1, 8, 16, 22, 23, 24, 28, 32, 64, 128, 256, 1024)
QUICK_VECTORS = (1, 16, 24, 64, 256)
FORWARD_CYCLES = (217, 300, 400, 500, 600, 650)
PUBLISHED_BYTES = 8_000
EXPECTED_BYTES = (6_000, 10_000)


def experiment(seed: int, quick: bool) -> tuple[pd.DataFrame, Figure]:
    """Run the experiment: gain at each size and number of paths, and its picture."""
    machine = load_machine()
    rows = []
    for vectors in QUICK_VECTORS if quick else VECTORS:
        size = vectors * machine.link.vector_bytes
        direct = _sent(machine, size, 1, seed)
        for paths in QUICK_PATHS if quick else PATHS:
            run = _sent(machine, size, paths, seed)
            used = int((run.schedule.program.trains.previous < 0).sum())
            rows.append(
                {
                    "payload_bytes": size,
                    "paths": paths,
                    "paths_used": used,
                    "forward_cycles": machine.link.forward_cycles,
                    "collective_us": run.network_ps / PS_PER_NS / NS_PER_US,
                    "gain": direct.network_ps / run.network_ps,
                    "violations": run.violations,
                    "feasible": True,
                }
            )
    table = pd.DataFrame(rows)
    return table, _figure(table, machine)


def _first_bytes() -> dict[int, int]:
    """Return the experiment's smallest tensor that gains, by cycles of a relay hop."""
    return {
        cycles: first_spread_bytes(
            load_machine().with_settings({"link.forward_cycles": cycles})
        )
        for cycles in FORWARD_CYCLES
    }


def _sent(
    machine: MachineSpec, payload_bytes: int, paths: int, seed: int
) -> CollectiveRun:
    """Return the experiment's run of a send over some paths of a node."""
    return run_collective(
        node_topology(),
        machine,
        "point-to-point",
        payload_bytes=payload_bytes,
        algorithm="spread",
        most_paths=paths,
        seed=seed,
    )


def _figure(table: pd.DataFrame, machine: MachineSpec) -> Figure:
    """Return the experiment's figure of its table."""
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(11, 4.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        for paths, part in table.groupby("paths"):
            label = "direct link" if paths == 1 else f"and {int(str(paths)) - 1} more"
            left.plot(part["payload_bytes"], part["gain"], "-o", ms=3, label=label)
        left.axvline(PUBLISHED_BYTES, color="black", ls="--", lw=1.2)
        left.annotate(
            "published: from 8 kB",
            (PUBLISHED_BYTES, 1),
            xytext=(-6, 60),
            textcoords="offset points",
            ha="right",
        )
        left.set_xscale("log")
        left.set(xlabel="tensor (bytes)", ylabel="gain over the direct link alone")
        left.set_title(
            f"A forward takes {machine.link.forward_cycles} cycles", loc="left"
        )
        left.legend(frameon=False, loc="upper left")
        first = _first_bytes()
        right.axhspan(*EXPECTED_BYTES, color="black", alpha=0.1, lw=0)
        right.axhline(PUBLISHED_BYTES, color="black", ls="--", lw=1.2)
        right.plot(list(first), list(first.values()), "-o")
        right.set(
            xlabel="what a forward costs (cycles)",
            ylabel="smallest tensor that gains (bytes)",
            ylim=(0, None),
        )
        right.annotate("published: 8 kB", (FORWARD_CYCLES[0], 8_150))
        right.set_title("The forward cost, unpublished, decides", loc="left")
    return figure


if __name__ == "__main__":
    run_script("nonminimal_routing", __doc__ or "", experiment)

"""How fast is an all-reduce, by its size, from a node to 145 racks?

The compiler selects the algorithm. Bandwidth counts the tensor (algbw), or the bytes
that each chip must move (busbw), as in NCCL's tests.
"""

import matplotlib.style
import pandas as pd
from matplotlib.figure import Figure

from experiments.plots.run_figure import STYLE
from experiments.run.collective import run_collective
from experiments.script.experiment_script import run_script
from specs.machine import load_machine
from specs.units import NS_PER_US, PS_PER_NS
from topologies.selection import select_topology

MACHINES = {
    8: "node",
    72: "rack",
    264: "nodes33",
    576: "dragonfly",
    10_440: "dragonfly",
}
QUICK_CHIPS = (8, 72)
SIZES = (320, 1_280, 5_120, 20_480, 81_920, 327_680, 1_310_720, 5_242_880, 20_971_520)
QUICK_SIZES = (320, 81_920)
# Largest tensors: the split form has a message for each node and share.
MOST_BYTES = {10_440: 5_242_880}
MARKERS = {"one-shot": "v", "two-step": "s", "ring": "D", "hierarchical": "o"}


def experiment(seed: int, quick: bool) -> tuple[pd.DataFrame, Figure]:
    """Run the experiment: latency and bandwidth by size and chips, and their figure."""
    machine = load_machine()
    rows = []
    for chips, kind in MACHINES.items():
        if quick and chips not in QUICK_CHIPS:
            continue
        topology = select_topology(chips, kind)
        for size in QUICK_SIZES if quick else SIZES:
            if size > MOST_BYTES.get(chips, size):
                continue
            run = run_collective(
                topology, machine, "all-reduce", payload_bytes=size, seed=seed
            )
            schedule = run.schedule
            rows.append(
                {
                    "topology": topology.name,
                    "chips": chips,
                    "payload_bytes": size,
                    "algorithm": schedule.algorithm.value,
                    "form": schedule.form,
                    "collective_us": run.latency_ps / PS_PER_NS / NS_PER_US,
                    "network_us": run.network_latency_ns / NS_PER_US,
                    "algbw_gb_per_s": run.algbw_gb_per_s,
                    "busbw_gb_per_s": run.busbw_gb_per_s,
                    "trains": len(schedule.program.trains),
                    "vector_hops": schedule.vector_hops,
                    "violations": run.violations,
                    "feasible": True,
                }
            )
    table = pd.DataFrame(rows)
    return table, _figure(table)


def _figure(table: pd.DataFrame) -> Figure:
    """Return the experiment's figure of its table."""
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(11, 4.8), layout="constrained")
        left, right = figure.subplots(1, 2)
        for chips, part in table.groupby("chips"):
            label = f"{int(str(chips)):,} chips"
            for axes, column in ((left, "collective_us"), (right, "busbw_gb_per_s")):
                (line,) = axes.plot(part["payload_bytes"], part[column], label=label)
                for algorithm, marker in MARKERS.items():
                    picked = part[part["algorithm"] == algorithm]
                    axes.plot(
                        picked["payload_bytes"],
                        picked[column],
                        marker,
                        color=line.get_color(),
                        ms=5,
                    )
        for algorithm, marker in MARKERS.items():
            if (table["algorithm"] == algorithm).any():
                right.plot([], [], f"k{marker}", ms=5, label=algorithm)
        for axes in (left, right):
            axes.set_xscale("log")
            axes.set_xlabel("tensor on each chip (bytes)")
        left.set_yscale("log")
        left.set_ylabel("latency (us)")
        left.set_title("Latency, additions and deskew included", loc="left")
        right.set(ylabel="bus bandwidth of a chip (GB/s)", ylim=(0, None))
        right.set_title("Bandwidth", loc="left")
        right.legend(frameon=False, loc="upper left")
    return figure


if __name__ == "__main__":
    run_script("allreduce", __doc__ or "", experiment)

"""What does it cost that no clock is shared, and that errors are repaired in line?

Llama-2-70B decodes on 576 chips, split in several ways. The same token is compiled for
a machine with one ideal clock, links that always take their least time and no decoder;
what the real machine takes beyond that goes to the guard bands, which hold room for
jitter, for drift and for the error of the aligned counters, to RUNTIME_DESKEWs that no
idle time hides, and to the decoder. A run stands beside each schedule. The aligned
start comes once a run and is told apart.
"""

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from compiler.cost.guard_band import Tolerance
from compiler.ir.schedule import Schedule
from experiments.harness.experiment_script import run_script
from experiments.plots.run_figure import STYLE
from experiments.run.preparation import compile_scenario
from experiments.run.scenario_inputs import machine_of
from experiments.tables.columns import TableRow
from fabric.replay import replay
from specs.scenario import Scenario
from specs.units import PS_PER_US

CHIPS = 576
WIDTHS = (2, 4, 8, 16, 32, 64)
QUICK_WIDTHS = (8, 32)
DEPLOYED_WIDTH = 8
CODES = ("none", "secded", "rs544")
TOKENS = 2
PARTS = {
    "guard_jitter": "guard: jitter",
    "guard_counter": "guard: counter error",
    "guard_drift": "guard: drift",
    "deskew": "deskew stalls",
    "fec": "FEC decoding",
    "other": "other routes",
}
SHOWN = {
    "tensor": "tensor",
    "code": "code",
    "ideal_us": "ideal us",
    "guard_jitter_us": "jitter",
    "guard_counter_us": "count",
    "guard_drift_us": "drift",
    "deskew_us": "deskew",
    "fec_us": "fec",
    "latency_us": "token us",
    "tax_percent": "tax %",
}


def experiment(seed: int, quick: bool) -> tuple[pd.DataFrame, Figure]:
    """Return what determinism costs each split and code, and the waterfall of it."""
    rows: list[TableRow] = []
    for width in QUICK_WIDTHS if quick else WIDTHS:
        rows += taxes(f"tensor={width},pipeline={CHIPS // width}", seed)
    table = pd.DataFrame(rows)
    return table, _figure(table)


def taxes(strategy: str, seed: int) -> list[TableRow]:
    """Return what each code's token costs beyond an ideal global clock."""
    scenario = Scenario(chips=CHIPS, strategy=strategy)
    ideal = compile_scenario(
        scenario.model_copy(update={"settings": ideal_settings(scenario)})
    )
    rows = []
    for code in CODES:
        settings = {"fec.code": code}
        schedule = compile_scenario(scenario.model_copy(update={"settings": settings}))[
            1
        ]
        rows.append(
            {
                "tensor": schedule.plan.strategy.tensor,
                "strategy": strategy,
                "code": code,
                **_split(schedule, ideal[1]),
                **_simulated(schedule, seed),
            }
        )
    return rows


def ideal_settings(scenario: Scenario) -> dict[str, object]:
    """Return the settings of a machine that nothing can put out of step.

    A link takes its least time; what a chip takes to forward a vector stays the same.
    """
    link = machine_of(scenario).link
    jitter_cycles = link.mean_latency_cycles - link.latency_cycles
    return {
        "clock.model": "ideal",
        "link.jitter_cycles": 0,
        "link.forward_cycles": link.forward_cycles - jitter_cycles,
        "fec.code": "none",
    }


def _split(schedule: Schedule, ideal: Schedule) -> TableRow:
    """Return where the cycles beyond the ideal go; the parts sum to the difference."""
    machine, program = schedule.plan.task.machine, schedule.program
    tolerance = Tolerance(machine=machine, tree_height=schedule.tree.height)
    spent, guard_cycles = schedule.breakdown, program.guard_cycles
    hops = spent.guard // guard_cycles
    jitter_cycles, counter_cycles = (
        machine.link.jitter_cycles,
        tolerance.alignment_cycles,
    )
    cycles = {
        "ideal": ideal.latency_cycles,
        "guard_jitter": hops * jitter_cycles,
        "guard_counter": hops * counter_cycles,
        "guard_drift": hops * (guard_cycles - jitter_cycles - counter_cycles),
        "deskew": spent.deskew,
        "fec": spent.fec,
    }
    # The compiler may take another way where hops cost more.
    cycles["other"] = schedule.latency_cycles - sum(cycles.values())
    us_per_cycle = 1e6 / machine.chip.clock_hz
    latency, least = schedule.latency_cycles, ideal.latency_cycles
    return {
        **{f"{part}_us": count * us_per_cycle for part, count in cycles.items()},
        "latency_us": latency * us_per_cycle,
        "tax_us": (latency - least) * us_per_cycle,
        "tax_percent": 100 * (latency / least - 1),
        "hops": hops,
        "guard_cycles": guard_cycles,
        "deskew_interval_cycles": program.deskews.interval_cycles,
    }


def _simulated(schedule: Schedule, seed: int) -> TableRow:
    """Return what a run takes for a token and, once, for its start."""
    machine = schedule.plan.task.machine
    result = replay(
        schedule.program, schedule.topology, machine, seed=seed, tokens=TOKENS
    )
    spans_ps = [row.end_ps - row.start_ps for row in result.iterations]
    return {
        "simulated_us": float(np.mean(spans_ps)) / PS_PER_US,
        "simulated_violations": result.underflows + result.overflows,
        "leader_ppm": float(result.chips.offset_ppm[schedule.program.leader]),
        "start_epochs": result.alignment_epochs,
        "start_us": result.alignment_ps / PS_PER_US,
    }


def _figure(table: pd.DataFrame) -> Figure:
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(11.5, 5), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=[1.25, 1])
        _draw_waterfall(left, table[table["tensor"] == DEPLOYED_WIDTH])
        _draw_splits(right, table)
        figure.suptitle(
            f"Llama-2-70B on {CHIPS} chips: what determinism costs a token",
            fontsize="large",
        )
    return figure


def _draw_waterfall(axes: Axes, table: pd.DataFrame) -> None:
    """Draw what comes on top of the ideal token, part after part and code by code."""
    of_code: dict[str, TableRow] = {str(row["code"]): row for row in _rows(table)}
    steps: list[tuple[str, float, str]] = []
    plain = of_code["none"]
    for number, (part, label) in enumerate(PARTS.items()):
        if plain[f"{part}_us"]:
            name = label.replace(": ", ":\n").replace(" ", "\n")
            steps.append((name, plain[f"{part}_us"], f"C{number}"))
    steps.append(("total\nwithout\ncode", 0.0, "black"))
    reached = plain["tax_us"]
    for code in CODES[1:]:
        added = of_code[code]["tax_us"] - reached
        fec_color = f"C{list(PARTS).index('fec')}"
        steps.append((f"decode\n{code}", added, fec_color))
        steps.append((f"total\n{code}", 0.0, "black"))
        reached += added
    level = 0.0
    for place, (_, added, color) in enumerate(steps):
        total = color == "black"
        bottom, height = (0.0, level) if total else (level, added)
        axes.bar(place, height, bottom=bottom, color="0.35" if total else color)
        level += added
        axes.annotate(
            f"{level:,.1f}" if total else f"{added:+,.1f}",
            (place, max(level, bottom)),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            size=8,
        )
        if place + 1 < len(steps):
            axes.plot([place, place + 1], [level, level], color="grey", linewidth=0.7)
    axes.set_xticks(range(len(steps)), [name for name, _, _ in steps], size=8)
    axes.set_ylabel("time in a token beyond the ideal (us)")
    axes.set_ylim(0, 1.12 * level)
    axes.set_title(
        f"{plain['strategy']}: {plain['ideal_us']:,.1f} us with an ideal global clock",
        loc="left",
        size="medium",
    )
    axes.annotate(
        "once a run, not in the bars:\naligned start, "
        f"{plain['start_epochs']} epochs = "
        f"{plain['start_us']:.2f} us\n\nsecded decodes within the link's\n"
        "measured latency",
        (0.02, 0.97),
        xycoords="axes fraction",
        va="top",
        size=9,
    )


def _rows(table: pd.DataFrame) -> list[TableRow]:
    return [
        {str(name): value for name, value in row.items()}
        for row in table.to_dict("records")
    ]


def _draw_splits(axes: Axes, table: pd.DataFrame) -> None:
    """Draw the tax of each split as a share of its ideal token, for two codes."""
    widths = sorted(table["tensor"].unique())
    for offset, code in ((-0.2, "secded"), (0.2, "rs544")):
        part = table[table["code"] == code].set_index("tensor").loc[widths]
        place = np.arange(len(widths)) + offset
        above, below = np.zeros(len(widths)), np.zeros(len(widths))
        for number, (name, label) in enumerate(PARTS.items()):
            share = (100 * part[f"{name}_us"] / part["ideal_us"]).to_numpy()
            axes.bar(
                place,
                share,
                width=0.37,
                bottom=np.where(share >= 0, above, below),
                color=f"C{number}",
                label=label if code == "secded" else None,
            )
            above += np.maximum(share, 0)
            below += np.minimum(share, 0)
        for x, top, tax in zip(place, above, part["tax_percent"], strict=True):
            axes.annotate(
                f"{code}\n{tax:.1f} %",
                (x, top),
                xytext=(0, 3),
                textcoords="offset points",
                ha="center",
                size=7,
            )
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_xticks(
        range(len(widths)), [f"{width} x {CHIPS // width}" for width in widths]
    )
    axes.set(
        xlabel="tensor width x pipeline stages",
        ylabel="time beyond the ideal token (%)",
    )
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, -0.02 * high), 1.1 * high)
    axes.legend(frameon=False, fontsize="small", loc="upper left")
    axes.set_title("Wider splits have more hops in a row", loc="left", size="medium")


if __name__ == "__main__":
    run_script("determinism_tax", __doc__ or "", experiment, SHOWN)

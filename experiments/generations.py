"""How much faster does the second generation decode, and what rests on assumptions?

Each shipped decoder in FP8 on 576 GroqChip1 in eight racks and on 256 LP30 in one, both
simulated, with tensor groups as wide as chips are linked all to all, and wider ones.
The power of LP30 is not published. Its energy is computed with what an idle GroqChip1
draws, which is nearly all that a token of one user takes; beside it is the power at
which both generations take the same energy.
"""

from dataclasses import asdict
from typing import Any

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from compiler.cost.link_timing import hop_cycles
from compiler.energy.full_load import idle_chip_w
from experiments.plots.run_figure import STYLE
from experiments.run.energy import run_energy
from experiments.run.scenario import run_scenario
from experiments.run.scenario_inputs import scenario_of
from experiments.script.experiment_script import run_script
from experiments.tables.columns import TableRow
from experiments.tables.scenario_rows import latency_columns
from specs.errors import RackError
from specs.machine import load_machine
from specs.model import load_model, model_names
from specs.units import US_PER_S, ceil_div
from topologies.metrics.summary import describe
from topologies.selection import select_topology

CONTEXT = 4096
FIRST, SECOND = "groqrack", "lpx"
# As wide as all-to-all links, and a rack or half of one; wider groups gain little.
WIDTHS = {FIRST: (8, 72), SECOND: (16, 128)}
DEVICES = {FIRST: "GroqChip1", SECOND: "LP30"}
# Racks whose reach is compared: what their SRAM holds, and how far it is across them.
RACKS, QUICK_RACKS = (1, 2, 4, 8, 16, 32), (1, 4)
DRAWN_MODEL = "llama-2-70b"
QUICK_MODEL = "gpt2"
CAUSES = ("compute", "link", "guard", "alignment", "deskew", "fec", "wait")
# Unpublished facts of LP30, in the order of their token rates.
ASSUMED: dict[str, tuple[tuple[str, float | str], ...]] = {
    "chip.weight_feed_bytes_per_cycle": (
        ("as GroqChip1", 10_240),
        ("its share of streams", 51_200),
    ),
    "link.forward_cycles": (
        ("as a link", 260),
        ("its share of a hop", 404),
        ("a hop", 525),
    ),
    "chip.overlap_load": (("one after the other", False), ("while rows pass", True)),
    "formats.activations": (("FP16", "fp16"), ("FP8", "fp8")),
    "link.stripe_cables": (("one cable", 1), ("two cables", 2), ("four cables", 4)),
}
COLUMNS = {
    "model": "model",
    "device": "device",
    "chips": "chips",
    "tensor": "wide",
    "latency_us": "token us",
    "tokens_per_s_per_user": "tokens/s",
    "energy_at_first_power_j": "J/token",
    "break_even_chip_w": "W even",
}


def experiment(
    seed: int, quick: bool
) -> tuple[pd.DataFrame, Figure, dict[str, pd.DataFrame]]:
    """Run the experiment: models on each generation, the figure, the assumptions."""
    names = [QUICK_MODEL, "llama-3.1-405b"] if quick else [*model_names()]
    drawn = QUICK_MODEL if quick else DRAWN_MODEL
    table = pd.DataFrame(
        [
            _row(name, machine, tensor, seed)
            for name in names
            if not load_model(name).structure.encoder
            for machine, widths in WIDTHS.items()
            for tensor in widths
        ]
    )
    table = table.assign(break_even_chip_w=_break_even_w(table))
    assumed = pd.DataFrame(
        [
            _assumed(drawn, setting, words, value, seed)
            for setting, choices in ASSUMED.items()
            for words, value in choices
        ]
    )
    reach = pd.DataFrame(
        [
            _reach(machine, racks)
            for machine in WIDTHS
            for racks in (QUICK_RACKS if quick else RACKS)
        ]
    )
    more = {"assumed": assumed, "reach": reach}
    return table, _figure(table, assumed, drawn), more


def _reach(machine: str, racks: int) -> TableRow:
    """Return the experiment's row of what racks hold, and how far it is across them."""
    spec = load_machine(machine)
    system = spec.system
    topology = select_topology(
        racks * system.chips_per_rack,
        system.topology,
        ports_per_chip=spec.chip.ports,
    )
    facts = describe(topology)
    first_us = hop_cycles(spec, 1) / spec.chip.clock_hz * US_PER_S
    relay_us = spec.link.forward_cycles / spec.chip.clock_hz * US_PER_S
    return {
        "machine": machine,
        "device": DEVICES[machine],
        "racks": racks,
        "chips": topology.chips,
        "sram_gb": topology.chips * spec.chip.sram_bytes / 1e9,
        "diameter_hops": facts.diameter_hops,
        "mean_hops": facts.mean_hops,
        "hop_us": first_us,
        # A vector that others forward; without guard bands and longer cables.
        "farthest_us": first_us + (facts.diameter_hops - 1) * relay_us,
        "mean_us": first_us + (facts.mean_hops - 1) * relay_us,
    }


def _row(
    model: str,
    machine: str,
    tensor: int,
    seed: int,
    settings: dict[str, Any] | None = None,
) -> TableRow:
    """Return the experiment's row of one case."""
    asked = {
        "model": model,
        "machine": machine,
        "context": min(CONTEXT, load_model(model).max_context_tokens),
        "tokens": 1,
        "seed": seed,
        "engine": "replay",
        "settings": settings or {},
    }
    system = load_machine(machine).system
    strategy = f"tensor={tensor},pipeline={system.chips // tensor}"
    chips = {"chips": system.chips, "strategy": strategy}
    scenario = scenario_of({**asked, **chips}, "generations")
    row = {
        "model": model,
        "machine": machine,
        "device": DEVICES[machine],
        "chips": scenario.chips,
        "racks": ceil_div(scenario.chips, system.chips_per_rack),
        "tensor": tensor,
        "strategy": scenario.strategy,
        "context_tokens": scenario.context,
    }
    try:
        run = run_scenario(scenario)
    except RackError as error:
        return {**row, "feasible": False, "reason": str(error)}
    measured = latency_columns(run)
    rate, prepared = measured["tokens_per_s_per_user"], run.prepared
    first_w = idle_chip_w(load_machine(FIRST))
    assert first_w is not None
    return {
        **row,
        "feasible": True,
        "chips_used": prepared.plan.strategy.chips,
        **measured,
        **asdict(run_energy(run, rate)),
        "energy_at_first_power_j": scenario.chips * first_w / rate,
        "reason": "",
    }


def _break_even_w(table: pd.DataFrame) -> "pd.Series[float]":
    """Return the experiment's power of an LP30 whose token takes GroqChip1's energy.

    The comparison is with the best strategy of the first generation.
    """
    ran = table[table["feasible"]]
    first = ran[ran["machine"] == FIRST].groupby("model")["energy_per_token_j"].min()
    second = ran[ran["machine"] == SECOND]
    energy_j = second["model"].map(first)
    return energy_j * second["tokens_per_s_per_user"] / second["chips"]


def _assumed(
    model: str, setting: str, words: str, value: float | str, seed: int
) -> TableRow:
    """Return the experiment's row of the second generation under one assumption."""
    row = _row(model, SECOND, WIDTHS[SECOND][0], seed, {setting: value})
    return {"setting": setting, "assumed": words, "value": value, **row}


def _figure(table: pd.DataFrame, assumed: pd.DataFrame, drawn: str) -> Figure:
    """Return the experiment's figure of its table."""
    ran = table[table["feasible"]]
    models = ran["model"].nunique()
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(13, 3.4 + 0.2 * models), layout="constrained")
        left, middle, right = figure.subplots(1, 3, width_ratios=[1.3, 1, 1])
        _models(left, ran)
        _breakdown(middle, ran[ran["model"] == drawn])
        _assumptions(right, assumed[assumed["feasible"]])
    return figure


def _models(axes: Axes, ran: pd.DataFrame) -> None:
    """Draw the experiment's fastest strategy of each model on each generation."""
    best = ran.pivot_table(
        "tokens_per_s_per_user", "model", "machine", aggfunc="max", sort=False
    ).sort_values(FIRST, ascending=False)
    place = np.arange(len(best))
    axes.hlines(place, best[FIRST], best[SECOND], color="0.8", zorder=0)
    for marker, (machine, device) in zip("os", DEVICES.items(), strict=True):
        chips = load_machine(machine).system.chips
        axes.plot(best[machine], place, marker, label=f"{chips} {device}")
    for at, (first, second) in enumerate(zip(best[FIRST], best[SECOND], strict=True)):
        axes.annotate(
            f"{second / first:.1f} x",
            (second, at),
            xytext=(8, -3),
            textcoords="offset points",
            size=8,
        )
    axes.set_yticks(place, list(best.index))
    axes.set_xscale("log")
    axes.set_xlim(None, 2 * best[SECOND].max())
    axes.set_xlabel("tokens/s for one user, the faster split")
    axes.set_title("One rack against eight", loc="left")
    axes.legend(frameon=False, fontsize="small")


def _breakdown(axes: Axes, part: pd.DataFrame) -> None:
    """Draw the experiment's latency of a token by cause, for each strategy."""
    labels = [
        f"{device}\n{tensor} wide"
        for device, tensor in zip(part["device"], part["tensor"], strict=True)
    ]
    bottom = np.zeros(len(part))
    for cause in CAUSES:
        spent = part[f"{cause}_us"].to_numpy(float)
        if spent.any():
            axes.bar(labels, spent, bottom=bottom, label=cause)
        bottom += spent
    axes.tick_params(axis="x", labelsize="small")
    axes.set_ylabel("latency of a token (us)")
    axes.set_title(f"{part['model'].iloc[0]}: where it goes", loc="left")
    axes.legend(frameon=False, fontsize="small")


def _assumptions(axes: Axes, assumed: pd.DataFrame) -> None:
    """Draw the experiment's token rate under each assumption, grouped by setting."""
    for place, (setting, part) in enumerate(assumed.groupby("setting", sort=False)):
        rows = [
            words if isinstance(value, bool | str) else f"{words} ({value:,.0f})"
            for words, value in zip(part["assumed"], part["value"], strict=True)
        ]
        axes.barh(
            rows, part["tokens_per_s_per_user"], color=f"C{place}", label=str(setting)
        )
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelsize="small")
    axes.set_xlabel("tokens/s for one user, 16 wide")
    axes.set_title("Of LP30 not published", loc="left")
    # Below the last bar, on which it would lie.
    axes.set_ylim(axes.get_ylim()[0] + 1.2, None)
    axes.legend(frameon=False, fontsize="x-small", loc="lower right")


if __name__ == "__main__":
    run_script("generations", __doc__ or "", experiment, COLUMNS)

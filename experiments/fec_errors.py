"""How good must a code be for a schedule that repairs or replays, never retries?

Llama-2-70B decodes on 576 chips. For each code and bit error rate, with independent
errors and with bursts of the same mean rate: how many codewords of a token are
corrected, how often a token is damaged, how many tokens are delivered per replay, and
how many codewords of a token are wrong without being noticed.
The odds are closed forms over the program's trains. Where replays are frequent enough
to count, runs with drawn errors stand beside them and show the tail of the latency.
"""

import math
from dataclasses import asdict, replace
from operator import itemgetter
from typing import Literal

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from scipy.optimize import brentq

from experiments.plots.run_figure import STYLE
from experiments.report.run_summary import latency_distribution
from experiments.run.scenario import Programs, compile_programs, run_scenario
from experiments.script.experiment_script import run_script
from experiments.tables.columns import TableRow
from experiments.tables.run_tables import tokens_table
from fabric.links.error_model import codeword_outcome, uncorrectable_odds
from fabric.links.fec import codewords
from fabric.links.silent_errors import silent_odds
from specs.machine import MachineSpec
from specs.scenario import Scenario
from specs.units import NS_PER_US

CODES = ("none", "secded", "rs528", "rs544")
QUICK_CODES = ("secded", "rs528")
LINES: dict[str, Literal["-", "--"]] = {"independent": "-", "bursts": "--"}
POWERS = tuple(range(-12, -3))
QUICK_POWERS = (-12, -8, -4)
# The curves reach rates at which the strongest code fails too.
SHOWN_POWERS = (-12, -3)
POINTS_PER_DECADE = 12
# Odds of a damaged token in runs with drawn errors, and tokens of such a run.
DAMAGED = (0.01, 0.1)
QUICK_DAMAGED = (0.1,)
TOKENS = 1_000
QUICK_TOKENS = 100
SHOWN = {
    "code": "code",
    "errors": "errors",
    "ber": "ber",
    "corrected_per_token": "repaired",
    "damaged_probability": "damaged",
    "tokens_per_replay": "between",
    "simulated_tokens_per_replay": "counted",
    "p99_us": "p99 us",
    "max_us": "max us",
}
_TIMES_S = {"a minute": 60, "a day": 86_400, "a year": 365 * 86_400}
_MOST_TOKENS = 1e13


def experiment(seed: int, quick: bool) -> tuple[pd.DataFrame, Figure]:
    """Run the experiment: effect of errors on a token by code, and its figure."""
    rows: list[TableRow] = []
    curves: list[TableRow] = []
    for code in QUICK_CODES if quick else CODES:
        programs = compile_programs(Scenario(settings={"fec.code": code}))
        vectors = programs.buckets[0].schedule.program.trains.vectors
        for errors in LINES:
            machine = programs.prepared.machine.with_settings({"link.errors": errors})
            points = [
                expected(machine, vectors, 10.0**power)
                for power in (QUICK_POWERS if quick else POWERS)
            ]
            curves += [
                expected(machine, vectors, 10.0 ** (step / POINTS_PER_DECADE))
                for step in range(
                    POINTS_PER_DECADE * SHOWN_POWERS[0],
                    POINTS_PER_DECADE * SHOWN_POWERS[1] + 1,
                )
            ]
            for odds in QUICK_DAMAGED if quick else DAMAGED:
                ber = error_rate_of_damage(machine, vectors, odds)
                drawn = counted(
                    programs, machine, ber, seed, QUICK_TOKENS if quick else TOKENS
                )
                points.append({**expected(machine, vectors, ber), **drawn})
                # Independent draws, so that errors of the runs are independent too.
                seed += 1
            for row in points:
                rate = machine.with_settings({"link.ber": row["ber"]})
                row["codeword_silent"] = silent_odds(rate)
            rows += sorted(points, key=itemgetter("ber"))
    table = pd.DataFrame(rows)
    return table, _figure(table, pd.DataFrame(curves))


def expected(
    machine: MachineSpec, vectors: NDArray[np.integer], ber: float
) -> TableRow:
    """Return the experiment's closed-form row: corrected codewords, damage, replays.

    Parameters
    ----------
    machine
        Code and error model.
    vectors
        Vectors of each train of the token, shape ``(trains,)``.
    ber
        Bit error rate before correction.
    """
    machine = machine.with_settings({"link.ber": ber})
    count = codewords(machine.fec.parameters, vectors, machine.protected_bytes)
    codeword = codeword_outcome(machine)
    with np.errstate(divide="ignore"):
        # The logarithm for a train that is always damaged is minus infinity.
        log_clean = float(np.log1p(-uncorrectable_odds(machine, count)).sum())
    damaged = -math.expm1(log_clean)
    return {
        "code": machine.fec.code,
        "errors": machine.link.errors,
        "ber": ber,
        "codeword_corrected": codeword.corrected,
        "codeword_uncorrectable": codeword.uncorrectable,
        "codewords_per_token": int(count.sum()),
        "corrected_per_token": float(count.sum() * codeword.corrected),
        "damaged_probability": damaged,
        # A token takes 1 / (1 - damaged) attempts, and all but one of them are replays.
        "tokens_per_replay": math.exp(log_clean) / damaged,
    }


def error_rate_of_damage(
    machine: MachineSpec, vectors: NDArray[np.integer], odds: float
) -> float:
    """Return the experiment's bit error rate for odds of damage, to three digits."""

    def excess(power: float) -> float:
        row = expected(machine, vectors, 10.0**power)
        return math.log(row["damaged_probability"] / odds)

    power: float = brentq(excess, -14.0, -2.0, xtol=1e-4)
    return float(f"{10.0**power:.2e}")


def counted(
    programs: Programs, machine: MachineSpec, ber: float, seed: int, tokens: int
) -> TableRow:
    """Return the experiment's simulated row: counts and latencies with drawn errors.

    Programs depend on the code, but not on the errors.
    """
    settings = {
        "fec.code": machine.fec.code,
        "link.errors": machine.link.errors,
        "link.ber": ber,
    }
    machine = machine.with_settings({"link.ber": ber})
    prepared = replace(programs.prepared, machine=machine)
    run = run_scenario(
        Scenario(settings=settings, tokens=tokens, seed=seed, engine="replay"),
        programs=programs._replace(prepared=prepared),
    )
    delivered, replays = tokens_table(run), run.result.replays
    latency_ns = latency_distribution(delivered["latency_ps"].to_numpy())
    return {
        "seed": seed,
        "simulated_tokens": len(delivered),
        "simulated_iterations": len(run.result.iterations),
        "simulated_corrected": int(run.result.links.corrected.sum()),
        "simulated_replays": replays,
        "simulated_tokens_per_replay": len(delivered) / replays if replays else np.inf,
        **{
            f"{name}_us": value / NS_PER_US
            for name, value in (asdict(latency_ns) if latency_ns else {}).items()
        },
        "tokens_lost": run.result.tokens_lost,
        "violations": run.violations,
    }


def _figure(table: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Return the experiment's figure of its table."""
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(8.6, 5.4), layout="constrained")
        axes = figure.subplots()
        lines = []
        for number, (code, of_code) in enumerate(curves.groupby("code", sort=False)):
            color = f"C{number}"
            for errors, line in LINES.items():
                part = of_code[of_code["errors"] == errors]
                axes.loglog(part["ber"], part["tokens_per_replay"], line, color=color)
            runs = table[(table["code"] == code) & table["simulated_replays"].notna()]
            axes.loglog(
                runs["ber"],
                runs["simulated_tokens_per_replay"],
                "o",
                color=color,
                markersize=5,
            )
            lines.append(Line2D([], [], color=color, label=str(code)))
        for errors, line in LINES.items():
            lines.append(Line2D([], [], color="black", linestyle=line, label=errors))
        lines.append(
            Line2D([], [], color="black", marker="o", linestyle="", label="counted")
        )
        figure.legend(
            handles=lines, frameon=False, loc="outside lower center", ncols=len(lines)
        )
        _mark_times(axes, float(table["p50_us"].median()))
        axes.set(
            xlabel="mean bit error rate before correction",
            ylabel="expected tokens delivered for each replay",
            xlim=(10.0 ** SHOWN_POWERS[0], 10.0 ** SHOWN_POWERS[1]),
            ylim=(0.1, _MOST_TOKENS),
        )
        axes.set_title(
            "Llama-2-70B on 576 chips: how far apart replays are", loc="left"
        )
        axes.grid(alpha=0.3)
    return figure


def _mark_times(axes: Axes, token_us: float) -> None:
    """Draw the experiment's lines: tokens of one user in a minute, a day and a year."""
    for name, time_s in _TIMES_S.items():
        tokens = time_s / token_us * 1e6
        axes.axhline(tokens, color="grey", linewidth=0.8, linestyle=":")
        axes.annotate(
            f"one user: {name}",
            (0.52, tokens),
            xycoords=("axes fraction", "data"),
            xytext=(0, 3),
            textcoords="offset points",
            size=8,
            color="dimgrey",
        )


if __name__ == "__main__":
    run_script("fec_errors", __doc__ or "", experiment, SHOWN)

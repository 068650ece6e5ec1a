"""What does it cost that no clock is shared, and that errors are repaired in line?

Llama-2-70B decodes on 576 chips under several strategies. The same token is compiled
for a machine with one ideal clock, links of constant least latency and no decoder. The
latency of the real machine beyond that is split into guard bands (jitter, drift and the
error of the aligned counters), RUNTIME_DESKEWs that no idle time hides, and the
decoder. A run stands beside each schedule. The aligned start happens once a run and is
separate.
"""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from compiler.cost.guard_band import Tolerance
from compiler.ir.schedule import Schedule
from experiments.plots.determinism_tax import CODES, determinism_tax_figure
from experiments.run.preparation import compile_scenario
from experiments.run.scenario_inputs import machine_of
from experiments.script.experiment_script import run_script
from experiments.tables.columns import TableRow
from fabric.replay import replay
from specs.scenario import Scenario
from specs.units import PS_PER_US

CHIPS = 576
WIDTHS = (2, 4, 8, 16, 32, 64)
QUICK_WIDTHS = (8, 32)
TOKENS = 2
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
    """Run the experiment: determinism tax of each split and code, and its figure."""
    rows: list[TableRow] = []
    for width in QUICK_WIDTHS if quick else WIDTHS:
        rows += _tax_rows(f"tensor={width},pipeline={CHIPS // width}", seed)
    table = pd.DataFrame(rows)
    return table, determinism_tax_figure(table, CHIPS)


def _tax_rows(strategy: str, seed: int) -> list[TableRow]:
    """Return the experiment's rows: latency beyond an ideal global clock, by code."""
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
    """Return the experiment's settings for ideal clocks and links without errors.

    A link takes its least latency; the relay of a vector by a chip takes the same time.
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
    """Return the experiment's cycles beyond the ideal by part, in us, which add up."""
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
    # The compiler may choose other algorithms and paths if hops cost more.
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
    """Return the experiment's latency of a token, and the time of the aligned start."""
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


if __name__ == "__main__":
    run_script("determinism_tax", __doc__ or "", experiment, SHOWN)

"""How long do chips stay in step on their own, and how bad may crystals be?

Llama-2-7B decodes on a rack of 72 chips; the guard band covers a crystal error over a
deskew interval. First the chips never deskew. The first violation of a run is compared
with the closed form for the same crystals, with and without jitter, and with the
shallowest FIFO that the compiler accepts. Then they deskew, but on crystals worse than
planned. The first error that breaks a run is compared with the error that the guard
band allows; the cause is drift beyond the guard, or drift misread by half an epoch. The
inverted drift budget gives the limits of error, interval and FIFO depth.
"""

from functools import lru_cache

import numpy as np
import pandas as pd

from chip.program import Program
from compiler.cost.drift_budget import budget, shallowest_fifo_vectors
from compiler.cost.guard_band import Tolerance
from compiler.ir.schedule import Schedule
from experiments.drift.crystal_error_limit import error_limits
from experiments.drift.drift_violations import (
    ClockViolation,
    first_violation,
    simulated_violation,
    underflow_quantiles,
)
from experiments.drift.free_running_clocks import (
    FreeRunningClocks,
    free_run,
    without_deskews,
)
from experiments.plots.drift import drift_figure
from experiments.run.preparation import compile_scenario
from experiments.script.experiment_script import Findings, run_script
from experiments.tables.columns import TableRow
from fabric.replay import replay
from fabric.results.result import RunResult
from specs.machine import MachineSpec
from specs.scenario import Scenario
from specs.units import PS_PER_US
from topologies.topology import Topology

DRIFTS_PPM = (10.0, 20.0, 50.0, 100.0, 200.0)
QUICK_DRIFTS_PPM = (20.0, 100.0)
INTERVALS_EPOCHS = (40, 160, 640)
QUICK_INTERVALS_EPOCHS = (160,)
# Seeds of crystals for the program that deskews.
SEEDS = 40
QUICK_SEEDS = 4
PLANNED_PPM = 50.0
POINTS = 25
QUICK_POINTS = 5
# Quantiles of runs with jitter: the bounds of 98 % of them, and the median.
QUANTILES = (0.01, 0.5, 0.99)
SHOWN = {
    "ppm": "ppm",
    "interval_epochs": "epochs",
    "case": "case",
    "first_violation_us": "violated us",
    "closed_form_us": "closed us",
    "difference_in_intervals": "intervals off",
    "kind": "kind",
}
# The longest run: crystals that are in time for so long need no deskews.
_MOST_TOKENS = 2**14


def experiment(seed: int, quick: bool) -> Findings:
    """Run the experiment: first violations, closed forms, the figure, error limits."""
    drifts_ppm = QUICK_DRIFTS_PPM if quick else DRIFTS_PPM
    intervals = QUICK_INTERVALS_EPOCHS if quick else INTERVALS_EPOCHS
    between = np.geomspace(
        drifts_ppm[0], drifts_ppm[-1], QUICK_POINTS if quick else POINTS
    )
    dense_ppm = sorted({*drifts_ppm, *between.round(3).tolist()})
    rows: list[TableRow] = []
    curves: list[TableRow] = []
    limit_rows: list[TableRow] = []
    for epochs in intervals:
        for ppm in drifts_ppm:
            rows += free_running_rows(ppm, epochs, seed)
        curves += [closed_form_row(planned(ppm, epochs), seed) for ppm in dense_ppm]
        seeds = range(seed, seed + (QUICK_SEEDS if quick else SEEDS))
        limit_rows += error_limits(planned(PLANNED_PPM, epochs), seeds)
    table, limits = pd.DataFrame(rows), pd.DataFrame(limit_rows)
    figure = drift_figure(table, pd.DataFrame(curves), limits)
    return table, figure, {"raised": limits}


@lru_cache(maxsize=8)
def planned(ppm: float, interval_epochs: int) -> Schedule:
    """Return the experiment's schedule, guarded for a crystal error and an interval."""
    settings = {
        "clock.drift_ppm": ppm,
        "deskew.interval_epochs": interval_epochs,
        "link.ber": 0,
    }
    scenario = Scenario(
        model="llama-2-7b",
        chips=72,
        strategy="tensor=8,pipeline=9",
        settings=settings,
    )
    return compile_scenario(scenario)[1]


def free_running_rows(ppm: float, interval_epochs: int, seed: int) -> list[TableRow]:
    """Return the experiment's rows of first violations: simulated, closed form."""
    schedule = planned(ppm, interval_epochs)
    machine, program = schedule.plan.task.machine, schedule.program
    tolerance = Tolerance(machine=machine, tree_height=schedule.tree.height)
    steady = machine.with_settings({"link.jitter_cycles": 0})
    shallow = steady.with_settings(
        {"link.fifo_vectors": shallowest_fifo_vectors(tolerance, interval_epochs)}
    )
    cases = {
        "no jitter": (steady, _free_run_on(schedule, steady, seed)),
        "shallow FIFO": (shallow, _free_run_on(schedule, shallow, seed)),
        "jitter": (machine, _free_run_on(schedule, steady, seed)),
    }
    rows = []
    for case, (used, jitter_free) in cases.items():
        free = jitter_free._replace(machine=used)
        result = _run_until_violation(free.program, free.topology, used, seed)
        simulated = simulated_violation(free, result)
        spread = underflow_quantiles(free, QUANTILES) if case == "jitter" else ()
        closed = spread[1] if spread else first_violation(free)
        rows.append(
            {
                "ppm": ppm,
                "interval_epochs": interval_epochs,
                "interval_cycles": program.deskews.interval_cycles,
                "guard_cycles": program.guard_cycles,
                "case": case,
                "jitter_cycles": used.link.jitter_cycles,
                "fifo_vectors": used.link.fifo_vectors,
                "seed": seed,
                **_compared(program, machine, simulated, closed),
                "earliest_ps": spread[0].time_ps if spread else None,
                "latest_ps": spread[-1].time_ps if spread else None,
                **budget(tolerance, interval_epochs, program.guard_cycles)._asdict(),
            }
        )
    return rows


def _compared(
    program: Program,
    machine: MachineSpec,
    simulated: ClockViolation | None,
    closed: ClockViolation | None,
) -> TableRow:
    """Return both first violations, and their difference in deskew intervals."""
    if simulated is None or closed is None:
        return {"kind": "none", "what": "crystals do not drift apart"}
    interval_ps = machine.cycles_to_ps(program.deskews.interval_cycles)
    return {
        "first_violation_ps": simulated.time_ps,
        "closed_form_ps": closed.time_ps,
        "first_violation_us": simulated.time_ps / PS_PER_US,
        "closed_form_us": closed.time_ps / PS_PER_US,
        "difference_in_intervals": (simulated.time_ps - closed.time_ps) / interval_ps,
        "kind": simulated.kind,
        "what": f"link {simulated.link}",
    }


def _free_run_on(
    schedule: Schedule, machine: MachineSpec, seed: int
) -> FreeRunningClocks:
    """Return the experiment's free run of a schedule's program, of one token."""
    program = without_deskews(schedule.program)
    topology = schedule.topology
    result = replay(
        program, topology, machine, seed=seed, tokens=1, keep=frozenset({0})
    )
    return free_run(program, topology, machine, result)


def closed_form_row(schedule: Schedule, seed: int) -> TableRow:
    """Return the experiment's row of closed forms, with jitter and without."""
    machine = schedule.plan.task.machine
    free = _free_run_on(
        schedule, machine.with_settings({"link.jitter_cycles": 0}), seed
    )
    closed = first_violation(free)
    spread = underflow_quantiles(free._replace(machine=machine), QUANTILES)
    return {
        "ppm": machine.clock.drift_ppm,
        "interval_epochs": machine.deskew.interval_epochs,
        "interval_us": machine.cycles_to_ps(schedule.program.deskews.interval_cycles)
        / PS_PER_US,
        "closed_form_us": closed.time_ps / PS_PER_US if closed else None,
        "earliest_us": spread[0].time_ps / PS_PER_US if spread else None,
        "latest_us": spread[-1].time_ps / PS_PER_US if spread else None,
    }


def _run_until_violation(
    program: Program, topology: Topology, machine: MachineSpec, seed: int
) -> RunResult:
    """Return the experiment's run until a violation, or the longest allowed."""
    tokens = 2
    while True:
        tokens *= 2
        result = replay(program, topology, machine, seed=seed, tokens=tokens)
        if result.violations or tokens >= _MOST_TOKENS:
            return result


if __name__ == "__main__":
    run_script("clock_drift", __doc__ or "", experiment, SHOWN)

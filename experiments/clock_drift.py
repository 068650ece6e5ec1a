"""How long do chips stay in step on their own, and how bad may crystals be before that?

Llama-2-7B decodes on a rack of 72 chips; its guard band is made for crystals and a
deskew interval. First the chips never deskew: when the first vector breaks the schedule
stands beside the closed form for the very crystals drawn, with and without jitter, and
with the shallowest FIFO that the compiler accepts. Then they deskew, but on crystals
worse than planned: the first error that breaks a run stands beside what the guard band
promises, and whether drift went beyond the guard or was misread by half an epoch. The
budget inverted says how far error, interval and depth can go.
"""

from functools import lru_cache

import numpy as np
import pandas as pd

from chip.program import Program
from compiler.cost.drift_budget import budget, largest_ppm, shallowest_fifo_vectors
from compiler.cost.guard_band import Tolerance
from compiler.ir.schedule import Schedule
from experiments.analysis.free_running_clocks import (
    ClockViolation,
    FreeRunningClocks,
    first_broken,
    first_seen,
    free_run,
    underflow_quantiles,
    without_deskews,
)
from experiments.harness.experiment_script import Findings, run_script
from experiments.plots.drift import drift_figure
from experiments.run.preparation import compile_scenario
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
# Seeds of crystals that are tried on a program which deskews, and its tokens.
SEEDS = 40
QUICK_SEEDS = 4
TOKENS = 4
PLANNED_PPM = 50.0
POINTS = 25
QUICK_POINTS = 5
# Odds between which nearly all runs with jitter lie, and the middle of them.
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
# A run is given up beyond this: crystals that far apart in step need no schedule.
_MOST_TOKENS = 2**14
# Error is raised in hundredths of what the guard band promises.
_STEPS = 100


def experiment(seed: int, quick: bool) -> Findings:
    """Return first violations beside their closed forms, and the picture of both."""
    drifts_ppm = QUICK_DRIFTS_PPM if quick else DRIFTS_PPM
    intervals = QUICK_INTERVALS_EPOCHS if quick else INTERVALS_EPOCHS
    between = np.geomspace(
        drifts_ppm[0], drifts_ppm[-1], QUICK_POINTS if quick else POINTS
    )
    dense_ppm = sorted({*drifts_ppm, *between.round(3).tolist()})
    rows: list[TableRow] = []
    curves: list[TableRow] = []
    raised_rows: list[TableRow] = []
    for epochs in intervals:
        for ppm in drifts_ppm:
            rows += let_loose(ppm, epochs, seed)
        curves += [predicted(planned(ppm, epochs), seed) for ppm in dense_ppm]
        seeds = range(seed, seed + (QUICK_SEEDS if quick else SEEDS))
        raised_rows += raised(planned(PLANNED_PPM, epochs), seeds)
    table, raised_table = pd.DataFrame(rows), pd.DataFrame(raised_rows)
    figure = drift_figure(table, pd.DataFrame(curves), raised_table)
    return table, figure, {"raised": raised_table}


@lru_cache(maxsize=8)
def planned(ppm: float, interval_epochs: int) -> Schedule:
    """Return the schedule whose guard band is made for crystals and an interval."""
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


def let_loose(ppm: float, interval_epochs: int, seed: int) -> list[TableRow]:
    """Return when a program breaks that never deskews, simulated and in closed form."""
    schedule = planned(ppm, interval_epochs)
    machine, program = schedule.plan.task.machine, schedule.program
    tolerance = Tolerance(machine=machine, tree_height=schedule.tree.height)
    steady = machine.with_settings({"link.jitter_cycles": 0})
    shallow = steady.with_settings(
        {"link.fifo_vectors": shallowest_fifo_vectors(tolerance, interval_epochs)}
    )
    found = {
        "no jitter": (steady, free_on(schedule, steady, seed)),
        "shallow FIFO": (shallow, free_on(schedule, shallow, seed)),
        "jitter": (machine, free_on(schedule, steady, seed)),
    }
    rows = []
    for case, (used, quiet) in found.items():
        free = quiet._replace(machine=used)
        seen = first_seen(free, _until_broken(free.program, free.topology, used, seed))
        spread = underflow_quantiles(free, QUANTILES) if case == "jitter" else ()
        closed = spread[1] if spread else first_broken(free)
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
                **_compared(program, machine, seen, closed),
                "earliest_ps": spread[0].time_ps if spread else None,
                "latest_ps": spread[-1].time_ps if spread else None,
                **budget(tolerance, interval_epochs, program.guard_cycles)._asdict(),
            }
        )
    return rows


def _compared(
    program: Program,
    machine: MachineSpec,
    seen: ClockViolation | None,
    closed: ClockViolation | None,
) -> TableRow:
    if seen is None or closed is None:
        return {"kind": "none", "what": "crystals do not drift apart"}
    interval_ps = machine.cycles_to_ps(program.deskews.interval_cycles)
    return {
        "first_violation_ps": seen.time_ps,
        "closed_form_ps": closed.time_ps,
        "first_violation_us": seen.time_ps / PS_PER_US,
        "closed_form_us": closed.time_ps / PS_PER_US,
        "difference_in_intervals": (seen.time_ps - closed.time_ps) / interval_ps,
        "kind": seen.kind,
        "what": f"link {seen.link}",
    }


def free_on(schedule: Schedule, machine: MachineSpec, seed: int) -> FreeRunningClocks:
    """Return a schedule's program let loose on a machine, after its first token."""
    program = without_deskews(schedule.program)
    topology = schedule.topology
    result = replay(
        program, topology, machine, seed=seed, tokens=1, keep=frozenset({0})
    )
    return free_run(program, topology, machine, result)


def predicted(schedule: Schedule, seed: int) -> TableRow:
    """Return the closed forms of a schedule let loose, with jitter and without."""
    machine = schedule.plan.task.machine
    free = free_on(schedule, machine.with_settings({"link.jitter_cycles": 0}), seed)
    closed = first_broken(free)
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


def raised(schedule: Schedule, seeds: range) -> list[TableRow]:
    """Return at which error of its crystals a program breaks although it deskews."""
    machine, program = schedule.plan.task.machine, schedule.program
    tolerance = Tolerance(machine=machine, tree_height=schedule.tree.height)
    epochs = program.deskews.interval_cycles // machine.hac.epoch_cycles
    bound_ppm = largest_ppm(
        tolerance, epochs, program.guard_cycles, _most_apart_cycles(program)
    )
    rows = []
    for seed in seeds:
        step, result = _first_step(schedule, bound_ppm / _STEPS, seed)
        first = min(result.violations, key=lambda each: (each.iteration, each.cycle))
        rows.append(
            {
                "planned_ppm": machine.clock.drift_ppm,
                "interval_epochs": epochs,
                "interval_cycles": program.deskews.interval_cycles,
                "guard_cycles": program.guard_cycles,
                "seed": seed,
                "tokens": TOKENS,
                "bound_ppm": bound_ppm,
                "first_violating_ppm": step * bound_ppm / _STEPS,
                "times_the_bound": step / _STEPS,
                "kind": first.kind,
                # Half an epoch is more than drift adds up to within an interval: a
                # RUNTIME_DESKEW has taken a drift for one the other way.
                "misread": abs(first.margin_ps)
                > machine.cycles_to_ps(machine.hac.epoch_cycles) // 2,
                "what": str(first),
            }
        )
    return rows


def _most_apart_cycles(program: Program) -> int:
    """Return the longest time between two deskews of a chip, also across periods."""
    chip, start = program.deskews.chip, program.deskews.start_cycle
    following = np.roll(start, -1)
    last = np.flatnonzero(chip != np.roll(chip, -1))
    first = np.flatnonzero(chip != np.roll(chip, 1))
    # Of a chip's last deskew in a period, the next is its first in the one after.
    following[last] = start[first] + program.period_cycles
    return int((following - start).max())


def _first_step(
    schedule: Schedule, step_ppm: float, seed: int
) -> tuple[int, RunResult]:
    """Return the first number of steps at which a run breaks, and that run.

    Runs break from some error on, as all crystals move in proportion.
    """

    def run(steps: int) -> RunResult:
        machine = schedule.plan.task.machine.with_settings(
            {"clock.drift_ppm": steps * step_ppm}
        )
        topology = schedule.topology
        return replay(schedule.program, topology, machine, seed=seed, tokens=TOKENS)

    low, high = 0, _STEPS
    broken = run(high)
    while not broken.violations:
        low, high = high, 2 * high
        broken = run(high)
    while high - low > 1:
        middle = (low + high) // 2
        result = run(middle)
        if result.violations:
            high, broken = middle, result
        else:
            low = middle
    return high, broken


def _until_broken(
    program: Program, topology: Topology, machine: MachineSpec, seed: int
) -> RunResult:
    """Return a run that is long enough to have a violation, or as long as any is."""
    tokens = 2
    while True:
        tokens *= 2
        result = replay(program, topology, machine, seed=seed, tokens=tokens)
        if result.violations or tokens >= _MOST_TOKENS:
            return result


if __name__ == "__main__":
    run_script("clock_drift", __doc__ or "", experiment, SHOWN)

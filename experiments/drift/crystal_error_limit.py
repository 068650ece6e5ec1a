"""Crystal error at which a program that deskews first breaks its schedule."""

import numpy as np

from chip.program import Program
from compiler.cost.drift_budget import largest_ppm
from compiler.cost.guard_band import Tolerance
from compiler.ir.schedule import Schedule
from experiments.tables.columns import TableRow
from fabric.replay import replay
from fabric.results.result import RunResult

# Tokens of a run.
TOKENS = 4
# The error is raised in hundredths of the bound of the guard band.
_STEPS = 100


def error_limits(schedule: Schedule, seeds: range) -> list[TableRow]:
    """Return the limits of crystal drift: the first that breaks a run, for each seed.

    Beside it stands the error that the guard band allows. `misread` says that a
    RUNTIME_DESKEW took a drift for one of the other sign.

    Parameters
    ----------
    schedule
        A program that deskews.
    seeds
        Seeds of crystals and jitter.
    """
    machine, program = schedule.plan.task.machine, schedule.program
    tolerance = Tolerance(machine=machine, tree_height=schedule.tree.height)
    epochs = program.deskews.interval_cycles // machine.hac.epoch_cycles
    bound_ppm = largest_ppm(
        tolerance, epochs, program.guard_cycles, _longest_interval_cycles(program)
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
                # Within an interval no drift adds up to half an epoch.
                "misread": abs(first.margin_ps)
                > machine.cycles_to_ps(machine.hac.epoch_cycles) // 2,
                "what": str(first),
            }
        )
    return rows


def _longest_interval_cycles(program: Program) -> int:
    """Return the longest time of drift between two deskews of a chip."""
    chip, start = program.deskews.chip, program.deskews.start_cycle
    following = np.roll(start, -1)
    last = np.flatnonzero(chip != np.roll(chip, -1))
    first = np.flatnonzero(chip != np.roll(chip, 1))
    # The last deskew of a chip in a period is followed by its first in the next one.
    following[last] = start[first] + program.period_cycles
    return int((following - start).max())


def _first_step(
    schedule: Schedule, step_ppm: float, seed: int
) -> tuple[int, RunResult]:
    """Return the least steps of drift that break a run, and that run.

    A bisection: the error of all crystals is proportional to the number of steps, so
    that every larger number breaks the run too.
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

"""The fast engine: the same run as a vectorised evaluation of the instruction table.

Nothing in the machine decides at run time, so no event loop is needed: a chip's cycles
become times by its crystal and by what its deskews have removed, a train arrives its
latency after its step, and slack is a difference. The integers are those of
`fabric.simulation`.
"""

from collections.abc import Callable
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from chip.clock import cycles_at, edges_ps
from chip.hac import wrapped_differences
from chip.program import Program
from fabric.ledger import Ledger
from fabric.occupancy import Occupancy, Timed
from fabric.result import RunResult
from fabric.run import Run, assemble
from specs.machine import MachineSpec
from topologies.topology import Topology

Ints = NDArray[np.int64]


def replay(
    program: Program,
    topology: Topology,
    machine: MachineSpec,
    *,
    seed: int,
    tokens: int,
    keep: frozenset[int] = frozenset(),
    progress: Callable[[int], None] | None = None,
) -> RunResult:
    """Return what `fabric.simulation.simulate` returns, without an event loop.

    Parameters and errors are those of `simulate`.
    """
    run = assemble(program, topology, machine, seed=seed, tokens=tokens)
    ledger = Ledger(run, keep=keep)
    offsets = _Offsets(run)
    occupancy = Occupancy(run)
    for iteration in range(max(run.delivery.iterations)):
        horizon_ps = 2**63 - 1
        for sequence, iterations in enumerate(run.delivery.iterations):
            if iteration < iterations:
                step_ps = offsets.step_ps(sequence, iteration)
                sent_ps = step_ps[run.layout.send_step]
                arrival_ps = sent_ps + run.latency_ps(sequence, iteration)
                occupancy.add(Timed(sequence, iteration, step_ps, arrival_ps, {}))
                # Each chip's next iteration comes after this one, step by step.
                horizon_ps = min(horizon_ps, int(step_ps.min()))
        for timed in occupancy.settle(horizon_ps):
            ledger.add(*timed)
        if progress is not None:
            progress(len(ledger.iterations))
    for timed in occupancy.settle(None):
        ledger.add(*timed)
    if progress is not None:
        progress(len(ledger.iterations))
    return ledger.result(offsets.deskews())


class _Placed(NamedTuple):
    """Steps of one sequence: place in the period, and deskews of the chip before it."""

    cycle: Ints
    lag: Ints
    deskews_before: Ints


@final
class _Offsets:
    """What each chip's program cycles are off its crystal's, period after period.

    Parameters
    ----------
    run
        What is replayed.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        program, clocks = run.program, run.crystals.clocks
        self._hz = np.array([clock.frequency_hz for clock in clocks], dtype=np.int64)
        self._phase_ps = np.array([clock.phase_ps for clock in clocks], dtype=np.int64)
        self._error = np.array(
            [counter.error_counts for counter in run.crystals.counters], dtype=np.int64
        )
        self._offset = np.array(run.start.cycle, dtype=np.int64)
        deskews = program.deskews
        chips = run.topology.chips
        count = np.bincount(deskews.chip, minlength=chips)
        first = np.cumsum(count) - count
        self._most = int(count.max(initial=0))
        # Cycle of each chip's deskews; a chip that has fewer is left alone.
        self._cycle = np.full((self._most, chips), -1, dtype=np.int64)
        place = np.arange(len(deskews)) - first[deskews.chip]
        self._cycle[place, deskews.chip] = deskews.start_cycle
        self._placed = [self._place(sequence) for sequence in range(program.sequences)]
        self._by_period: dict[int, Ints] = {}
        self._next_period = 0
        self._records: list[Ints] = []

    def step_ps(self, sequence: int, iteration: int) -> Ints:
        """Return the time of each step of an iteration, shape ``(steps,)``."""
        run, placed = self._run, self._placed[sequence]
        chip = run.layout.chip
        last = iteration + int(placed.lag.max())
        while self._next_period <= last:
            self._run_period()
        offset = np.empty(len(chip), dtype=np.int64)
        for lag in range(int(placed.lag.min()), int(placed.lag.max()) + 1):
            rows = placed.lag == lag
            table = self._by_period[iteration + lag]
            offset[rows] = table[placed.deskews_before[rows], chip[rows]]
        self._by_period.pop(iteration - self._run.program.sequences - 2, None)
        cycle = placed.cycle + iteration * run.program.period_cycles + offset
        return edges_ps(cycle, self._hz[chip], self._phase_ps[chip])

    def deskews(self) -> Ints:
        """Return chip, start in ps and removed cycles of every deskew of the run."""
        while self._next_period < self._run.periods:
            self._run_period()
        return np.concatenate([np.zeros((0, 3), dtype=np.int64), *self._records])

    def _place(self, sequence: int) -> _Placed:
        run = self._run
        program, layout = run.program, run.layout
        cycle = layout.cycle + sequence * program.interval_cycles
        lag, position = np.divmod(cycle, program.period_cycles)
        before = np.zeros(len(cycle), dtype=np.int64)
        for row in self._cycle:
            at = row[layout.chip]
            before += (at >= 0) & (at < position)
        return _Placed(cycle, lag, before)

    def _run_period(self) -> None:
        """Execute the deskews of the next period: every chip's first, second, third."""
        run, period = self._run, self._next_period
        root = run.crystals.root
        hz, phase_ps = np.int64(root.frequency_hz), np.int64(root.phase_ps)
        table = np.empty((self._most + 1, len(self._offset)), dtype=np.int64)
        table[0] = self._offset
        base = period * run.program.period_cycles
        for place, cycles in enumerate(self._cycle):
            program_cycle = base + cycles
            at_ps = edges_ps(program_cycle + self._offset, self._hz, self._phase_ps)
            software = run.start.count + program_cycle
            hardware = cycles_at(at_ps, hz, phase_ps) + self._error
            removed = wrapped_differences(
                software, hardware, run.machine.hac.epoch_cycles
            )
            done = (cycles >= 0) & (program_cycle <= run.last_cycle)
            self._offset = self._offset + np.where(done, removed, 0)
            table[place + 1] = self._offset
            chips = np.flatnonzero(done)
            self._records.append(
                np.stack([chips, at_ps[chips], removed[chips]], axis=1)
            )
        self._by_period[period] = table
        self._next_period += 1

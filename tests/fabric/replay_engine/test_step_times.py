from dataclasses import replace

import numpy as np
import pytest

from fabric.replay_engine.step_times import Offsets
from fabric.results.deskew_log import DeskewLog
from fabric.results.iteration_log import NEVER
from fabric.runtime.segment import Segment


def offsets_of(segment: Segment) -> tuple[Offsets, DeskewLog]:
    log = DeskewLog(segment.topology.chips, len(segment.program.deskews))
    return Offsets(segment, log), log


@pytest.mark.parametrize("iteration", [0, 1])
def test_without_drift_a_step_is_executed_at_its_cycle(
    steady: Segment, iteration: int
) -> None:
    offsets, log = offsets_of(steady)
    base = iteration * steady.program.period_cycles
    start = np.array(steady.start.cycle)[steady.layout.chip]
    expected = steady.crystals.clocks.edges_ps(
        steady.layout.chip, start + base + steady.layout.cycle
    )
    assert np.array_equal(offsets.step_ps(0, iteration), expected)
    assert not log.removed.any()


def test_every_period_is_deskewed_to_the_end_of_the_segment(drifting: Segment) -> None:
    offsets, log = offsets_of(drifting)
    offsets.finish()
    deskews = drifting.program.deskews
    periods = np.arange(drifting.periods)[:, np.newaxis]
    cycles = periods * drifting.program.period_cycles + deskews.start_cycle
    assert log.total == (cycles <= drifting.last_cycle).sum()


def test_a_step_follows_the_deskews_of_its_chip_before_it(drifting: Segment) -> None:
    offsets, log = offsets_of(drifting)
    step_ps = offsets.step_ps(1, 1)
    clocks, layout = drifting.crystals.clocks, drifting.layout
    ran = clocks.cycles_at(layout.chip, step_ps)
    base = drifting.dispatcher.base_cycle(1, 1)
    start = np.array(drifting.start.cycle)[layout.chip]
    removed = ran - (start + base + layout.cycle)
    # At an edge of the own crystal, and no further off than deskews have removed.
    assert np.array_equal(clocks.edges_ps(layout.chip, ran), step_ps)
    assert (np.abs(removed) <= (log.most_removed * log.count)[layout.chip]).all()
    assert removed.any()


def test_a_step_that_a_stopped_chip_does_not_execute_has_no_time(
    steady: Segment,
) -> None:
    attempts = tuple(
        tuple(attempt._replace(halted=(3,)) for attempt in each)
        for each in steady.delivery.attempts
    )
    stop = steady.outages.stop_cycle.copy()
    stop[3] = 1000
    segment = replace(
        steady,
        delivery=replace(steady.delivery, attempts=attempts),
        outages=replace(steady.outages, stop_cycle=stop),
    )
    step_ps = offsets_of(segment)[0].step_ps(0, 0)
    halted = (steady.layout.chip == 3) & (steady.layout.cycle >= 1000)
    assert np.array_equal(step_ps == NEVER, halted)
    assert halted.any()

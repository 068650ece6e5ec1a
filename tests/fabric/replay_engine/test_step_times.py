from dataclasses import replace

import numpy as np
import pytest

from fabric.clocks.hac import wrapped_difference
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
    step_ps = offsets_of(drifting)[0].step_ps(1, 1)
    program, layout = drifting.program, drifting.layout
    deskews, base = program.deskews, drifting.dispatcher.base_cycle(1, 1)
    epoch = drifting.machine.hac.epoch_cycles
    expected = np.empty_like(step_ps)
    for chip in range(8):
        clock = drifting.crystals.clocks.each[chip]
        counter = drifting.crystals.counters[chip]
        offset = drifting.start.cycle[chip]
        in_period = deskews.start_cycle[deskews.chip == chip].tolist()
        # Each deskew and each step by its cycle; a step comes before a deskew.
        events = [
            (period * program.period_cycles + cycle, 1, -1)
            for period in range(drifting.periods)
            for cycle in in_period
        ]
        steps = np.flatnonzero(layout.chip == chip).tolist()
        events += [(base + int(layout.cycle[step]), 0, step) for step in steps]
        for cycle, is_deskew, step in sorted(events):
            at_ps = clock.edge_ps(cycle + offset)
            if is_deskew:
                count = counter.count_at(at_ps)
                offset += wrapped_difference(drifting.start.count + cycle, count, epoch)
            else:
                expected[step] = at_ps
    assert np.array_equal(step_ps, expected)


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

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.cost.guard_band import Tolerance
from compiler.ir.timeline import Timeline, TransportEntry
from compiler.ir.transfers import CycleBreakdown, Transport
from compiler.scheduling.deskew_interval import best_deskew_interval
from specs.errors import ScheduleError
from specs.machine import load_machine

MACHINE = load_machine()
EPOCH = MACHINE.hac.epoch_cycles
TOLERANCE = Tolerance(machine=MACHINE, tree_height=2)


def timeline(stage_cycles: int, *, hops: int, longest: int = 100) -> Timeline:
    """Return the timeline of one stage, with a phase of `longest` cycles."""
    none = np.zeros(0, dtype=np.int64)
    spent = CycleBreakdown(link=longest)
    transport = Transport(
        link=none,
        vectors=none,
        wire_cycle=none,
        receive_cycle=none,
        previous=none,
        message=none,
        serialisation_cycles=none,
        spent=spent,
        hops=hops,
    )
    return Timeline(
        entries=(TransportEntry(0, 0, "gather", transport),),
        loads=(),
        spent=spent,
        stage_cycles=(stage_cycles,),
        stage_hops=(hops,),
        trains=0,
    )


@given(cycles=st.integers(100, 10**7), hops=st.integers(0, 10**4))
def test_an_interval_is_whole_epochs_that_drift_allows_and_a_phase_fits_in(
    cycles: int, hops: int
) -> None:
    interval = best_deskew_interval(timeline(cycles, hops=hops), TOLERANCE)
    assert interval % EPOCH == 0
    assert 100 + 2 * EPOCH <= interval <= TOLERANCE.longest_interval_cycles


@given(cycles=st.integers(100, 10**6), hops=st.integers(0, 10**3))
def test_more_hops_never_make_the_interval_longer(cycles: int, hops: int) -> None:
    intervals = [
        best_deskew_interval(timeline(cycles, hops=many), TOLERANCE)
        for many in (hops, 10 * hops + 1, 100 * hops + 10)
    ]
    assert all(a >= b for a, b in pairwise(intervals))


def test_many_hops_make_it_pay_to_deskew_within_a_stage() -> None:
    few, many = (
        best_deskew_interval(timeline(100_000, hops=hops), TOLERANCE)
        for hops in (1, 1_000)
    )
    assert many < 100_000 < few


def test_without_hops_a_stage_deskews_once_if_drift_allows() -> None:
    # 10,000 cycles, 4 epochs around it and the longest phase, rounded up to epochs.
    needed = 10_000 + 4 * EPOCH + 100
    interval = best_deskew_interval(timeline(10_000, hops=0), TOLERANCE)
    assert interval == -(-needed // EPOCH) * EPOCH


def test_clocks_that_do_not_drift_need_no_deskew() -> None:
    ideal = MACHINE.with_settings({"clock.drift_ppm": 0})
    tolerance = Tolerance(machine=ideal, tree_height=2)
    assert best_deskew_interval(timeline(10_000, hops=5), tolerance) == 0


def test_a_phase_longer_than_drift_allows_is_refused_with_crystals_that_would_do() -> (
    None
):
    longest = TOLERANCE.longest_interval_cycles
    with pytest.raises(ScheduleError, match=r"no interval works.*clock\.drift_ppm="):
        best_deskew_interval(timeline(10**7, hops=1, longest=longest), TOLERANCE)

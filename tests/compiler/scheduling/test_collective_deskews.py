import pytest

from compiler.cost.guard_band import Tolerance
from compiler.scheduling.collective_deskews import (
    longest_interval_cycles,
    spanning_interval_cycles,
)
from specs.errors import ScheduleError
from specs.machine import load_machine

EPOCH = 252


def tolerance(**settings: object) -> Tolerance:
    dotted = {key.replace("__", "."): value for key, value in settings.items()}
    return Tolerance(machine=load_machine().with_settings(dotted), tree_height=1)


def test_an_interval_that_is_set_applies_to_every_schedule() -> None:
    own = tolerance(deskew__interval_epochs=12)
    assert longest_interval_cycles(own) == 12 * EPOCH
    assert spanning_interval_cycles(own, 100, 12 * EPOCH) == 12 * EPOCH


def test_an_interval_in_which_drift_is_misread_is_refused() -> None:
    with pytest.raises(ScheduleError, match="than the half epoch of 126"):
        longest_interval_cycles(tolerance(deskew__interval_epochs=5_000))


def test_the_longest_interval_is_the_last_whole_epoch_that_drift_allows() -> None:
    own = tolerance()
    limit = longest_interval_cycles(own)
    assert limit % EPOCH == 0
    assert limit <= own.longest_interval_cycles < limit + EPOCH


def test_clocks_that_do_not_drift_need_no_deskew() -> None:
    own = tolerance(clock__drift_ppm=0)
    assert longest_interval_cycles(own) == 0
    assert spanning_interval_cycles(own, 10_000, 0) == 0


def test_crystals_that_no_three_epochs_hold_are_refused() -> None:
    with pytest.raises(ScheduleError, match=r"interval_epochs=2 or less"):
        longest_interval_cycles(tolerance(clock__drift_ppm=99_000))


@pytest.mark.parametrize(
    ("cycles", "epochs"), [(1, 3), (EPOCH, 3), (EPOCH + 1, 4), (10**7, 1000)]
)
def test_an_interval_spans_the_schedule_a_deskew_and_a_wider_guard(
    cycles: int, epochs: int
) -> None:
    limit = 1000 * EPOCH
    assert spanning_interval_cycles(tolerance(), cycles, limit) == epochs * EPOCH

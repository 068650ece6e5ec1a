import pytest

from compiler.cost.guard_band import Tolerance
from compiler.cost.link_timing import hop_cycles
from specs.errors import ScheduleError
from specs.machine import load_machine


def tolerance(tree_height: int = 1, **settings: object) -> Tolerance:
    dotted = {key.replace("__", "."): value for key, value in settings.items()}
    machine = load_machine().with_settings(dotted)
    return Tolerance(machine=machine, tree_height=tree_height)


def test_without_drift_and_jitter_there_is_nothing_to_guard_against() -> None:
    assert tolerance(clock__model="ideal", link__jitter_cycles=0).guard_cycles(0) == 0


def test_the_guard_is_jitter_and_counter_error_and_drift() -> None:
    # 33 of jitter; 2 chips off by 1, a count and an edge; 100 ppm of 20 000 and a bit.
    assert tolerance().guard_cycles(20_000) == 33 + (2 * 1 + 2) + 3


def test_the_counters_of_a_deeper_tree_are_further_off() -> None:
    assert tolerance(tree_height=3).guard_cycles(0) == 33 + (2 * 3 + 2) + 1


def test_drift_is_that_of_two_crystals_apart() -> None:
    # +10 % against -10 %: 1.1 / 0.9 is 2 / 9 more than 1.
    assert tolerance(clock__drift_ppm=99_999.99).drift_cycles(9_000) == 2_000


def test_a_deskew_can_tell_half_an_epoch_less_what_it_does_not_know() -> None:
    # (126 - 1 - 2) cycles at 100 ppm, a little less as the slower one counts.
    assert 1_229_000 < tolerance().longest_interval_cycles < 1_230_000


def test_an_interval_in_which_drift_is_misread_is_refused_with_one_that_works() -> None:
    with pytest.raises(
        ScheduleError, match=r"than the half epoch of 126.*deskew.interval_epochs=4880"
    ):
        tolerance().checked_interval(5_000)
    assert tolerance().checked_interval(4_880) == 4_880 * 252


def test_crystals_that_no_interval_holds_are_refused() -> None:
    with pytest.raises(ScheduleError, match=r"use steadier crystals \(clock.drift_ppm"):
        tolerance(clock__drift_ppm=99_000, tree_height=80).checked_interval(20)


def test_a_guard_that_overflows_the_fifo_is_refused_with_the_depth_that_works() -> None:
    # 54 late and 21 early, at 24 cycles a vector: the fourth has come.
    with pytest.raises(
        ScheduleError, match=r"set link.fifo_vectors to 4, or a shorter"
    ):
        tolerance(tree_height=4, link__fifo_vectors=3).guard_cycles(100_000)
    assert tolerance(tree_height=4, link__fifo_vectors=4).guard_cycles(100_000) == 54


@pytest.mark.parametrize(
    ("machine", "published"), [("groqrack", 650), ("groqnode", 650), ("lpx", 525)]
)
@pytest.mark.parametrize("epochs", [0, 1, 30])
def test_the_published_hop_contains_the_guard_of_counters_one_level_apart(
    machine: str, published: int, epochs: int
) -> None:
    spec = load_machine(machine)
    interval = epochs * spec.hac.epoch_cycles
    guard = Tolerance(machine=spec, tree_height=1).guard_cycles(interval)
    # 722 ns at 900 MHz, 0.35 us at 1.5 GHz.
    assert hop_cycles(spec, 1) + guard == published

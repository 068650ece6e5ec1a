from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.cost.drift_budget import (
    PPB_PER_PPM,
    DriftBudget,
    budget,
    largest_ppm,
    longest_interval_epochs,
    shallowest_fifo_vectors,
    with_settings,
    works,
)
from compiler.cost.guard_band import Tolerance
from compiler.ir.schedule import Schedule
from specs.errors import ScheduleError
from specs.machine import load_machine

Compile = Callable[..., Schedule]
machines = st.builds(
    lambda ppm, jitter, fifo, height: with_settings(
        Tolerance(machine=load_machine(), tree_height=height),
        {
            "clock.drift_ppm": ppm,
            "link.jitter_cycles": jitter,
            "link.fifo_vectors": fifo,
        },
    ),
    st.integers(1, 400_000).map(lambda ppb: ppb / PPB_PER_PPM),
    st.integers(0, 60),
    st.integers(3, 24),
    st.integers(1, 6),
)
# Beyond it there is no such machine.
MOST_PPM = 99_999.999
intervals = st.integers(1, 3_000)


def of_crystals(tolerance: Tolerance, ppm: float) -> Tolerance:
    return with_settings(tolerance, {"clock.drift_ppm": ppm})


@given(tolerance=machines, epochs=intervals)
def test_at_the_largest_error_the_guard_is_accepted_and_beyond_it_refused(
    tolerance: Tolerance, epochs: int
) -> None:
    ppm = largest_ppm(tolerance, epochs)
    inside = of_crystals(tolerance, ppm)
    if ppm > 0:
        inside.guard_cycles(inside.checked_interval(epochs))
    if ppm == MOST_PPM:
        return
    beyond = of_crystals(tolerance, ppm + 1 / PPB_PER_PPM)
    with pytest.raises(ScheduleError):
        beyond.guard_cycles(beyond.checked_interval(epochs))


@given(tolerance=machines, epochs=intervals)
def test_crystals_of_the_largest_error_for_their_guard_need_all_of_it(
    tolerance: Tolerance, epochs: int
) -> None:
    if not works(tolerance, epochs):
        return
    guard = tolerance.guard_cycles(tolerance.checked_interval(epochs))
    ppm = largest_ppm(tolerance, epochs, guard)
    assert ppm >= tolerance.machine.clock.drift_ppm
    inside = of_crystals(tolerance, ppm)
    assert inside.guard_cycles(inside.checked_interval(epochs)) == guard
    assert not works(of_crystals(tolerance, ppm + 1 / PPB_PER_PPM), epochs, guard)


@given(tolerance=machines)
def test_the_longest_interval_is_accepted_and_one_epoch_more_refused(
    tolerance: Tolerance,
) -> None:
    epochs = longest_interval_epochs(tolerance)
    if epochs > 0:
        tolerance.guard_cycles(tolerance.checked_interval(epochs))
    with pytest.raises(ScheduleError):
        tolerance.guard_cycles(tolerance.checked_interval(epochs + 1))


@given(tolerance=machines, epochs=intervals)
def test_the_longest_interval_of_a_guard_band_needs_no_wider_one(
    tolerance: Tolerance, epochs: int
) -> None:
    if not works(tolerance, epochs):
        return
    guard = tolerance.guard_cycles(tolerance.checked_interval(epochs))
    longest = longest_interval_epochs(tolerance, guard)
    assert longest >= epochs
    assert tolerance.guard_cycles(tolerance.checked_interval(longest)) == guard
    assert not works(tolerance, longest + 1, guard)


@given(tolerance=machines, epochs=intervals)
def test_the_shallowest_fifo_is_accepted_and_one_place_less_refused(
    tolerance: Tolerance, epochs: int
) -> None:
    if epochs * 252 > tolerance.longest_interval_cycles:
        with pytest.raises(ScheduleError, match="than the half epoch"):
            shallowest_fifo_vectors(tolerance, epochs)
        return
    vectors = shallowest_fifo_vectors(tolerance, epochs)
    interval_cycles = tolerance.checked_interval(epochs)
    enough = with_settings(tolerance, {"link.fifo_vectors": vectors})
    enough.guard_cycles(interval_cycles)
    if vectors > 1:
        short = with_settings(tolerance, {"link.fifo_vectors": vectors - 1})
        with pytest.raises(ScheduleError, match=f"set link.fifo_vectors to {vectors},"):
            short.guard_cycles(interval_cycles)


@given(tolerance=machines, epochs=intervals)
def test_a_deeper_fifo_and_a_wider_guard_never_allow_less(
    tolerance: Tolerance, epochs: int
) -> None:
    depth = tolerance.machine.link.fifo_vectors
    deeper = with_settings(tolerance, {"link.fifo_vectors": depth + 1})
    assert largest_ppm(deeper, epochs) >= largest_ppm(tolerance, epochs)
    assert longest_interval_epochs(deeper) >= longest_interval_epochs(tolerance)
    assert largest_ppm(tolerance, epochs, 40) <= largest_ppm(tolerance, epochs, 41)


def test_the_budget_of_the_shipped_machine() -> None:
    tolerance = Tolerance(machine=load_machine(), tree_height=3)
    # 33 of jitter, 2 x 3 + 2 of counters, 3 of drift.
    limits = budget(tolerance, 80, 33 + 8 + 3)
    # 3 cycles in 80 epochs and the 242 cycles of a link, by two crystals.
    assert limits.largest_ppm == pytest.approx(3e6 / (80 * 252 + 242) / 2, rel=1e-4)
    # 3 cycles at 100 ppm, less the flight: 29 751 cycles.
    # 44 and 11 of 55 cycles, at 24 a vector: the third has come.
    assert limits == DriftBudget(limits.largest_ppm, 118, 3)


def test_the_longest_interval_without_a_guard_is_what_a_deskew_can_tell_apart() -> None:
    tolerance = Tolerance(machine=load_machine(), tree_height=1)
    assert longest_interval_epochs(tolerance) == 4_880


def test_deskews_far_apart_allow_only_what_they_can_tell_apart() -> None:
    tolerance = Tolerance(machine=load_machine(), tree_height=1)
    ppm = largest_ppm(tolerance, 80, None, apart_cycles=2_000_000)
    assert of_crystals(tolerance, ppm).longest_interval_cycles >= 2_000_000
    worse = of_crystals(tolerance, ppm + 1 / PPB_PER_PPM)
    assert worse.longest_interval_cycles < 2_000_000


def test_a_guard_narrower_than_the_jitter_allows_nothing() -> None:
    tolerance = Tolerance(machine=load_machine(), tree_height=1)
    assert largest_ppm(tolerance, 80, 18) == 0
    assert longest_interval_epochs(tolerance, 18) == 0


@pytest.mark.parametrize("epochs", [40, 400])
def test_the_compiler_takes_what_the_budget_allows_and_no_more(
    compiled: Compile, epochs: int
) -> None:
    schedule = compiled(4, 2, deskew__interval_epochs=epochs, link__fifo_vectors=4)
    machine = schedule.plan.task.machine
    tolerance = Tolerance(machine=machine, tree_height=schedule.tree.height)
    ppm, _, vectors = budget(tolerance, epochs)

    def compiles(ppm: float, fifo_vectors: int) -> bool:
        try:
            compiled(
                *(4, 2),
                deskew__interval_epochs=epochs,
                link__fifo_vectors=fifo_vectors,
                clock__drift_ppm=ppm,
            )
        except ScheduleError:
            return False
        return True

    assert compiles(ppm, 4)
    assert not compiles(ppm + 1 / PPB_PER_PPM, 4)
    assert compiles(machine.clock.drift_ppm, vectors)
    assert not compiles(machine.clock.drift_ppm, vectors - 1)

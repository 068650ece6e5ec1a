import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from chip.deskew import half_epoch_cycles
from fabric.clocks.clock import Clock
from fabric.clocks.hac import (
    FRACTION_BITS,
    AlignedCounter,
    added_rates,
    bring_up_settled,
    half_round_trip,
    rate_per_epoch,
    wrapped_difference,
    wrapped_differences,
)

PPM = 1_000_000
counts = st.integers(-(10**12), 10**12)
epochs = st.integers(2, 1000)
crystals = st.builds(
    Clock.with_offset,
    st.just(900_000_000),
    st.floats(-200, 200),
    st.integers(0, 10**9),
)
counters = st.builds(AlignedCounter, root=crystals, error_counts=st.integers(-20, 20))


@given(sac=counts, hac=counts, epoch=epochs)
def test_a_difference_is_right_modulo_the_epoch_and_within_half_of_it(
    sac: int, hac: int, epoch: int
) -> None:
    difference = wrapped_difference(sac, hac, epoch)
    assert (difference - (sac - hac)) % epoch == 0
    assert -(epoch // 2) <= difference <= epoch // 2


@given(hac=counts, epoch=epochs, data=st.data())
def test_a_drift_below_half_an_epoch_is_read_as_it_is(
    hac: int, epoch: int, data: st.DataObject
) -> None:
    most = (epoch - 1) // 2
    drift = data.draw(st.integers(-most, most))
    assert wrapped_difference((hac + drift) % epoch, hac % epoch, epoch) == drift


@given(sac=counts, hac=counts, epoch=epochs)
def test_ahead_one_way_is_behind_the_other(sac: int, hac: int, epoch: int) -> None:
    there = wrapped_difference(sac, hac, epoch)
    assume(2 * abs(there) != epoch)
    assert wrapped_difference(hac, sac, epoch) == -there


@given(counter=counters, clock=crystals, count=st.integers(-1000, 10**12))
def test_the_start_is_the_first_cycle_that_shows_the_count(
    counter: AlignedCounter, clock: Clock, count: int
) -> None:
    start = counter.start_cycle(clock, count)
    assert counter.count_at(clock.edge_ps(start)) >= count
    assert counter.count_at(clock.edge_ps(start - 1)) < count


@given(root=crystals, error=st.integers(-20, 20), time_ps=st.integers(0, 10**13))
def test_a_counter_is_off_the_root_by_its_error(
    root: Clock, error: int, time_ps: int
) -> None:
    counter = AlignedCounter(root=root, error_counts=error)
    assert counter.count_at(time_ps) == root.cycle_at(time_ps) + error


def test_the_root_shows_a_count_at_the_cycle_of_that_number() -> None:
    root = Clock(frequency_hz=900_000_000)
    assert AlignedCounter(root=root, error_counts=0).start_cycle(root, 252) == 252


@given(
    epoch=epochs,
    error=st.integers(0, 10),
    ppm=st.floats(0.001, 400),
    sign=st.sampled_from([-1, 1]),
)
def test_drift_over_the_longest_deskew_interval_is_not_misread(
    epoch: int, error: int, ppm: float, sign: int
) -> None:
    interval = half_epoch_cycles(epoch, error, ppm)
    drift = sign * (int(interval * ppm / PPM) + error + 1) if interval else 0
    assert wrapped_difference(drift, 0, epoch) == drift


def sums(trips: list[int]) -> NDArray[np.int64]:
    """Return the sum and the sum of squares of a link's round trips."""
    return np.array([[sum(trips)], [sum(trip**2 for trip in trips)]])


@pytest.mark.parametrize(
    ("first", "second", "settled"),
    [
        ([434] * 8, [434] * 8, True),
        ([434] * 8, [435] * 8, True),
        ([434] * 8, [440] * 8, False),
        ([430, 438] * 4, [430, 438] * 4, True),
        ([430, 438] * 4, [434, 434] * 4, False),
    ],
    ids=["the same", "half a count", "another mean", "spread", "another spread"],
)
def test_a_link_is_settled_once_mean_and_variance_stay(
    first: list[int], second: list[int], settled: bool
) -> None:
    judged = bring_up_settled(sums(first), sums(first + second), 16)
    assert judged.tolist() == [settled]


@given(
    child=st.integers(899_000_000, 901_000_000),
    parent=st.integers(899_000_000, 901_000_000),
    root=st.integers(899_000_000, 901_000_000),
)
def test_rates_add_up_along_the_tree(child: int, parent: int, root: int) -> None:
    def lost(own: int, above: int) -> int:
        """Return what a crystal loses in an epoch of another's."""
        return (252 * (above - own) << FRACTION_BITS) // above

    added = added_rates(lost(child, parent), lost(parent, root), 252)
    # Whole parts of a count, rounded three times.
    assert added == pytest.approx(lost(child, root), abs=4)


@given(pairs=st.lists(st.tuples(counts, counts)), epoch=epochs)
def test_many_differences_at_once_are_those_of_one_by_one(
    pairs: list[tuple[int, int]], epoch: int
) -> None:
    sac, hac = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    one_by_one = [wrapped_difference(*pair, epoch) for pair in pairs]
    assert wrapped_differences(sac, hac, epoch).tolist() == one_by_one


@given(latency=st.integers(0, 10**6), exchanges=st.integers(1, 1000))
def test_the_latency_is_half_of_each_round_trip(latency: int, exchanges: int) -> None:
    latency_parts = half_round_trip(2 * latency * exchanges, exchanges)
    assert latency_parts == latency << FRACTION_BITS


@given(
    offset=st.integers(-100, 100),
    lost=st.integers(-100, 100),
    exchanges=st.integers(2, 300),
    spacing=st.integers(1, 50),
)
def test_a_steady_lag_has_the_rate_of_its_slope(
    offset: int, lost: int, exchanges: int, spacing: int
) -> None:
    behind = [offset + lost * number for number in range(exchanges)]
    weighted = sum(number * each for number, each in enumerate(behind))
    rate = rate_per_epoch(sum(behind), weighted, exchanges, spacing)
    assert rate == (lost << FRACTION_BITS) // spacing

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.cycle_time import CycleTime
from specs.errors import SpecError


@given(
    st.sampled_from([900_000_000, 1_500_000_000, 10**9]),
    st.integers(0, 10**14),
)
def test_the_first_cycle_at_the_begin_of_a_cycle_is_that_cycle_or_the_next(
    clock_hz: int, cycle: int
) -> None:
    time = CycleTime.of(clock_hz)
    begin_ps = time.ps(cycle)
    assert begin_ps == cycle * 10**12 // clock_hz
    assert time.first_cycle(begin_ps) == cycle
    assert time.first_cycle(begin_ps + 1) == cycle + 1


def test_arrays_are_converted_as_numbers_are() -> None:
    time = CycleTime.of(900_000_000)
    cycles = np.array([0, 1, 9, 10**13])
    assert time.ps(cycles).tolist() == [time.ps(int(each)) for each in cycles]


def test_a_clock_without_a_simple_ratio_is_refused() -> None:
    with pytest.raises(SpecError, match="round it to 1 MHz"):
        CycleTime.of(900_000_001)

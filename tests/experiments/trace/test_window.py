"""Windows of a trace: ranges of chips and of time."""

import pytest

from experiments.trace.window import Window, check_window, window_of
from specs.errors import SpecError


def test_two_ranges_are_a_window() -> None:
    assert window_of("3-7", "1.5-20") == Window(3, 7, 1.5, 20.0)


@pytest.mark.parametrize(
    ("chips", "time_us"), [("3", "0-1"), ("a-b", "0-1"), ("0-1", "")]
)
def test_what_is_no_range_is_refused(chips: str, time_us: str) -> None:
    with pytest.raises(SpecError, match="write FROM-TO, as in 0-31"):
        window_of(chips, time_us)


@pytest.mark.parametrize(("chips", "time_us"), [("7-3", "0-1"), ("0-1", "5-5")])
def test_a_range_without_extent_is_refused(chips: str, time_us: str) -> None:
    with pytest.raises(SpecError, match="FROM must lie before TO"):
        window_of(chips, time_us)


def test_a_window_beyond_the_last_chip_is_refused() -> None:
    check_window(Window(first_chip=71), chips=72)
    with pytest.raises(SpecError, match=r"--trace-chips 72-99: .* chips are 0 to 71"):
        check_window(Window(72, 99), chips=72)

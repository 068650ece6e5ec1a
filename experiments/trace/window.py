"""Window of a trace: the chips and the part of a token that it shows."""

from typing import NamedTuple

from specs.errors import SpecError

_DEFAULT_CHIPS = 32


class Window(NamedTuple):
    """Window of a trace.

    Attributes
    ----------
    first_chip, last_chip
        First and last chip, both included.
    start_us, end_us
        Time after the first chip starts the token.
    """

    first_chip: int = 0
    last_chip: int = _DEFAULT_CHIPS - 1
    start_us: float = 0.0
    end_us: float = float("inf")


def window_of(chips: str, time_us: str) -> Window:
    """Return the window of a trace from two ranges such as ``0-31`` and ``100-250``.

    Raises
    ------
    SpecError
        If a range is not a pair of numbers in order.
    """
    try:
        first, last = (int(part) for part in chips.split("-"))
        start, end = (float(part) for part in time_us.split("-"))
    except ValueError:
        raise SpecError(
            f"--trace-chips {chips}, --trace-us {time_us}: write FROM-TO, as in 0-31"
        ) from None
    if first > last or not start < end:
        raise SpecError(
            f"--trace-chips {chips}, --trace-us {time_us}: FROM must lie before TO"
        )
    return Window(first, last, start, end)


def check_window(window: Window, chips: int) -> None:
    """Refuse a trace window that shows none of the machine's chips.

    Raises
    ------
    SpecError
        If its first chip is beyond the last chip of the machine.
    """
    if window.first_chip >= chips:
        raise SpecError(
            f"--trace-chips {window.first_chip}-{window.last_chip}: the machine's "
            f"chips are 0 to {chips - 1}"
        )

"""Deskew interval of a collective: set, or as long as its schedule and drift allow."""

from compiler.cost.guard_band import Tolerance
from specs.units import ceil_div

# One epoch to deskew and two to send, at least.
_FEWEST_EPOCHS = 3


def longest_interval_cycles(tolerance: Tolerance) -> int:
    """Return a collective's deskew interval if set, or the longest that drift allows.

    Returns
    -------
    int
        Cycles; 0 if the machine never needs a deskew.

    Raises
    ------
    ScheduleError
        If drift is misread within the interval that is set, or within three epochs.
    """
    setting = tolerance.machine.deskew.interval_epochs
    if setting != "auto":
        return tolerance.checked_interval(setting)
    if tolerance.relative_ppm == 0:
        return 0
    epoch = tolerance.machine.hac.epoch_cycles
    epochs = tolerance.longest_interval_cycles // epoch
    return max(epochs * epoch, tolerance.checked_interval(_FEWEST_EPOCHS))


def spanning_interval_cycles(
    tolerance: Tolerance, cycles: int, limit_cycles: int
) -> int:
    """Return the deskew interval that spans a collective, or the limit if shorter.

    Parameters
    ----------
    tolerance
        Clocks of the machine; an interval that is set applies to any schedule.
    cycles
        Length of the schedule.
    limit_cycles
        Longest interval, from `longest_interval_cycles`.
    """
    if tolerance.machine.deskew.interval_epochs != "auto":
        return limit_cycles
    epoch = tolerance.machine.hac.epoch_cycles
    # It begins with a deskew, and the guard may widen by a cycle or two a hop.
    return min(ceil_div(cycles, epoch) * epoch + 2 * epoch, limit_cycles)

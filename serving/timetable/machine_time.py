"""Machine time: the cycles in which a replica works, without those of its outages."""

from collections import deque
from collections.abc import Sequence
from typing import final

from serving.fleet.fleet import FleetOutage
from specs.units import ceil_div


@final
class MachineTime:
    """Time of a replica with frames of one length, outages left out.

    An outage begins at the first frame that starts at or after it, or as soon as
    nothing is under way. Which frames run then is known once the requests before it
    are placed: `settle` says so.

    Parameters
    ----------
    frame_cycles
        Length of a frame.
    outages
        Outages of the replica, the first one first.
    """

    def __init__(self, frame_cycles: int, outages: Sequence[FleetOutage]) -> None:
        self._frame_cycles = frame_cycles
        self._pending = deque(outages)
        # Machine time of each outage, and what is lost before it and with it.
        self._stops: list[tuple[int, int, int]] = []

    def settle(self, cycle: int, origin: int, idle: int) -> None:
        """Settle the outages that no request at or after a cycle can move.

        Parameters
        ----------
        cycle
            When the next request is ready; those before it are placed.
        origin, idle
            When the frames began that run now, and from when on nothing is under way,
            both in machine time.
        """
        while self._pending:
            earliest, _, lost = self._stops[-1] if self._stops else (0, 0, 0)
            at = max(self._pending[0].at_cycle - lost, earliest)
            ahead = ceil_div(at - origin, self._frame_cycles)
            boundary = origin + ahead * self._frame_cycles
            stop = max(at, min(boundary, idle))
            if boundary > idle and cycle < stop + lost:
                return
            self._stops.append((stop, lost, lost + self._pending.popleft().cycles))

    def machine(self, cycle: int) -> int:
        """Return the machine time of a cycle; it stands still during an outage."""
        for stop, before, after in reversed(self._stops):
            if cycle >= stop + before:
                return max(stop, cycle - after)
        return cycle

    def begin(self, machine: int) -> int:
        """Return the cycle at which a pass starts, by its machine time."""
        for stop, _, after in reversed(self._stops):
            if machine >= stop:
                return machine + after
        return machine

    def end(self, machine: int) -> int:
        """Return the cycle at which a pass ends, by its machine time."""
        for stop, _, after in reversed(self._stops):
            if machine > stop:
                return machine + after
        return machine

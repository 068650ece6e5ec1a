"""Machine time: the cycles in which a replica works, without those of its outages."""

from collections.abc import Sequence
from typing import final

from serving.fleet.fleet import FleetOutage


@final
class MachineTime:
    """Time of a replica on a fixed grid of frames, outages left out.

    An outage begins at the first frame that starts at or after it.

    Parameters
    ----------
    frame_cycles
        Length of a frame.
    outages
        Outages of the replica, the first one first.
    """

    def __init__(self, frame_cycles: int, outages: Sequence[FleetOutage]) -> None:
        # Machine time of each outage, and what is lost before it and with it.
        self._stops: list[tuple[int, int, int]] = []
        lost = stop = 0
        for outage in outages:
            ahead = max(0, outage.at_cycle - lost)
            stop = max(stop, -(-ahead // frame_cycles) * frame_cycles)
            self._stops.append((stop, lost, lost + outage.cycles))
            lost += outage.cycles

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

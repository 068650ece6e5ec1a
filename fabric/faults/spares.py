"""The planner's part of a failover, as the hardware sees it."""

from typing import NamedTuple, Protocol

from chip.program import Program
from topologies.outage import Outage


class Moved(NamedTuple):
    """A program that has been moved away from bad nodes.

    Attributes
    ----------
    program
        What every chip does from now on.
    chips
        The chips that hold the slices, in the order of the plan.
    spare_node
        Node that stands in for the one marked bad last, -1 if that held nothing and
        the program only goes around it.
    loaded_bytes
        Bytes that all chips together get from the host.
    most_loaded_bytes
        Bytes that the chip gets which has to load most.
    """

    program: Program
    chips: tuple[int, ...]
    spare_node: int
    loaded_bytes: int
    most_loaded_bytes: int


class Spares(Protocol):
    """Knows where a program can go when nodes are bad."""

    def moved(
        self, bad_nodes: tuple[int, ...], outage: Outage, before: Moved | None
    ) -> Moved:
        """Return the program without the bad nodes, which are in order of failure.

        Parameters
        ----------
        bad_nodes
            All nodes marked bad in the run.
        outage
            Their chips, and what else is out of order.
        before
            What runs now, None if it is the program that the run began with.

        Raises
        ------
        RackError
            If there is no such program; the message says why.
        """
        ...

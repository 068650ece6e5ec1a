"""Interface of the failover planner: programs that avoid bad nodes."""

from typing import NamedTuple, Protocol

from chip.program import Program
from topologies.outage import Outage


class Moved(NamedTuple):
    """Program that has been moved away from bad nodes.

    Attributes
    ----------
    program
        Program from now on.
    chips
        Chips that hold the shards, in the order of the plan.
    spare_node
        Node that replaces the one marked bad last, -1 if that held no shard and the
        program is only routed around it.
    loaded_bytes
        Bytes that all chips together load from the host.
    most_loaded_bytes
        Largest number of bytes that one chip loads.
    """

    program: Program
    chips: tuple[int, ...]
    spare_node: int
    loaded_bytes: int
    most_loaded_bytes: int


class Spares(Protocol):
    """Planner of failovers to spare nodes."""

    def moved(
        self, bad_nodes: tuple[int, ...], outage: Outage, before: Moved | None
    ) -> Moved:
        """Return the program without the bad nodes, which are in order of failure.

        Parameters
        ----------
        bad_nodes
            All nodes marked bad in the run.
        outage
            Their chips, and all other outages.
        before
            Current moved program, None if it is the program that the run began with.

        Raises
        ------
        RackError
            If there is no such program; the message gives the reason.
        """
        ...

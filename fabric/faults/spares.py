"""Interface of the failover planner: programs that avoid bad nodes."""

from typing import NamedTuple, Protocol

from chip.program import Program
from topologies.outage import Outage


class Restoration(NamedTuple):
    """Restoration of a lost part of the KV cache: a program that brings it back.

    Attributes
    ----------
    program
        Program of one pass.
    iterations
        Passes of each of its sequences, which are parts of the restoration.
    host_bytes
        Bytes that the host sends before it, such as the tokens to compute again.
    restored_bytes
        Bytes of the KV cache that are there again after it.
    chained
        Whether passes read what those before them made, so that all are repeated if
        one was damaged.
    """

    program: Program
    iterations: int
    host_bytes: int
    restored_bytes: int
    chained: bool

    @property
    def passes(self) -> int:
        """Return the passes of all its sequences, if none is damaged."""
        return self.iterations * self.program.sequences


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
    lost
        Chips whose part of the KV cache is lost until the restorations have run.
    restorations
        What brings it back, in order.
    """

    program: Program
    chips: tuple[int, ...]
    spare_node: int
    loaded_bytes: int
    most_loaded_bytes: int
    lost: tuple[int, ...] = ()
    restorations: tuple[Restoration, ...] = ()


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
            The chips that it has lost are still without their KV cache.

        Raises
        ------
        RackError
            If there is no such program; the message gives the reason.
        """
        ...

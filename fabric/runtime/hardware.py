"""Hardware of a run: clocks that keep going, faults, and who stands in for whom.

Segments and the restorations between them run on the same machine, one after another.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, final

from chip.program import Program
from fabric.clocks.aligned_crystals import make_crystals
from fabric.clocks.crystals import Clocks, Crystals, make_clocks
from fabric.clocks.start_propagation import Start, StartPropagation, propagate_start
from fabric.faults.fault_script import Outages, outages
from fabric.faults.link_errors import LinkErrors
from fabric.faults.losses import Losses
from fabric.faults.replay_policy import Dispatcher
from fabric.faults.spares import Moved, Spares
from fabric.random_streams import Draws
from specs.errors import RackError
from specs.faults import Fault
from specs.machine import MachineSpec
from topologies.outage import NO_OUTAGE, Outage
from topologies.routing.spanning_tree import SpanningTree, alignment_tree
from topologies.topology import Topology

Align = Callable[[StartPropagation, Crystals, int], Start]


class AlignedChips(NamedTuple):
    """Chips whose counters are aligned, ready for aligned starts.

    Attributes
    ----------
    tree
        Spanning tree of the alignment.
    crystals
        Clocks and aligned counters.
    draws
        Random numbers of this bring-up, and of what runs only after it.
    """

    tree: SpanningTree
    crystals: Crystals
    draws: Draws


class Loaded(NamedTuple):
    """Program on started chips, with what damages it.

    Attributes
    ----------
    outages, errors
        Outages of the fault script, and bit errors of the trains.
    dispatcher
        Runtime on the host.
    """

    outages: Outages
    errors: LinkErrors
    dispatcher: Dispatcher


@final
class Hardware:
    """Hardware of a run.

    Parameters
    ----------
    topology, machine
        Machine that executes the programs.
    seed
        Seed of all random draws.
    faults
        Fault script.
    spares
        Planner of failovers; there are none if None.
    align
        Function of the start propagation, the crystals, and a global time that returns
        the start.

    Attributes
    ----------
    spares
        As above, for the program that runs.
    moved
        Program that has been moved last, None if none has.
    bad_nodes
        Nodes marked bad, in order.
    known
        Outages that the moved program avoids.
    """

    def __init__(
        self,
        topology: Topology,
        machine: MachineSpec,
        *,
        seed: int,
        faults: Sequence[Fault],
        spares: Spares | None,
        align: Align,
    ) -> None:
        self.topology = topology
        self.machine = machine
        self.draws = Draws(seed)
        self.spares = spares
        self.moved: Moved | None = None
        self.bad_nodes: tuple[int, ...] = ()
        self.known: Outage = NO_OUTAGE
        self._seed = seed
        self._faults = faults
        self._align = align
        self._zero_ps: int | None = None
        self._clocks: Clocks | None = None

    def mark_bad(self, node: int, moved: Moved, outage: Outage) -> None:
        """Note that a node is bad, and which program avoids it and other outages."""
        self.bad_nodes += (node,)
        self.moved = moved
        self.known = outage

    def aligned(self, leader: int) -> AlignedChips:
        """Return the chips with their counters aligned over a new tree.

        Raises
        ------
        ScheduleError
            If the chips cannot be aligned.
        """
        topology, machine = self.topology, self.machine
        if self._clocks is None:
            self._clocks = make_clocks(machine, topology.chips, leader, self.draws)
        tree = alignment_tree(topology, machine, leader, self.known)
        fresh = Draws(self._seed, start=len(self.bad_nodes))
        crystals = make_crystals(
            machine, topology, tree, clocks=self._clocks, draws=fresh
        )
        return AlignedChips(tree, crystals, fresh)

    def start(self, chips: AlignedChips, at_ps: int) -> Start:
        """Return the aligned start of the chips after a global time."""
        propagation = propagate_start(
            self.machine, self.topology, chips.tree, chips.draws
        )
        return self._align(propagation, chips.crystals, at_ps)

    def load(
        self,
        program: Program,
        crystals: Crystals,
        begin_cycle: int,
        *,
        draws: Draws,
        first_iteration: int,
    ) -> Loaded:
        """Return a program with what damages it from its start on.

        Parameters
        ----------
        program
            Program that the chips execute.
        crystals, begin_cycle
            Clocks and aligned counters, and the cycle of the root's crystal at which
            the program starts.
        draws, first_iteration
            Random numbers of its bit errors, and iterations before it with these.
        """
        if self._zero_ps is None:
            self._zero_ps = crystals.root.edge_ps(begin_cycle)
        out = outages(
            self._faults,
            self.topology,
            root=crystals.root,
            start_cycle=begin_cycle,
            zero_ps=self._zero_ps,
        )
        errors = LinkErrors(self.machine, program, draws, out)

        def move(node: int, cycle: int) -> Moved | str:
            bad_nodes = (*self.bad_nodes, node)
            if self.spares is None:
                return f"node {node} has no spare; keep nodes idle (spares=1)"
            try:
                out_of_order = self.outage(out, cycle, bad_nodes)
                return self.spares.moved(bad_nodes, out_of_order, self.moved)
            except RackError as error:
                return str(error)

        dispatcher = Dispatcher(
            program,
            self.topology,
            errors=errors,
            losses=Losses(program, self.topology, self.machine, out),
            first_iteration=first_iteration,
            move=move,
        )
        return Loaded(out, errors, dispatcher)

    def outage(self, out: Outages, cycle: int, bad_nodes: tuple[int, ...]) -> Outage:
        """Return the outage at a program cycle: bad nodes, dead chips and links."""
        node = self.topology.node.tolist()
        bad = frozenset(chip for chip, own in enumerate(node) if own in bad_nodes)
        return Outage(chips=bad | out.stopped_at(cycle), links=out.dead_at(cycle))

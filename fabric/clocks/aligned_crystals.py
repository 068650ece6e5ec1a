"""Crystals with aligned counters, from a machine, its spanning tree and a seed."""

import numpy as np

from fabric.clocks.crystals import Clocks, Crystals
from fabric.clocks.hac import AlignedCounter
from fabric.clocks.hac_tracking import settled_counters
from fabric.clocks.link_bring_up import steady_bring_up_epochs
from fabric.random_streams import Draws
from specs.machine import MachineSpec
from topologies.routing.spanning_tree import SpanningTree
from topologies.topology import Topology


def make_crystals(
    machine: MachineSpec,
    topology: Topology,
    tree: SpanningTree,
    *,
    clocks: Clocks,
    draws: Draws,
) -> Crystals:
    """Return the clock crystals of all chips with counters that track the root's.

    The error of a counter is what tracking leaves when the program may start
    (`fabric.clocks.hac_tracking`). Tracking takes milliseconds, so the crystals keep
    their initial frequency for it. The error is 0 if neither clocks drift nor links
    jitter, and for chips outside the tree.

    Raises
    ------
    ScheduleError
        If the counters do not settle within what the machine allows.
    """
    if machine.drifts or machine.link.jitter_cycles > 0:
        errors, epochs = settled_counters(
            machine, topology, tree, clocks=clocks.initial, draws=draws
        )
    else:
        errors = np.zeros(len(tree.parent), dtype=np.int64)
        epochs = steady_bring_up_epochs(machine, topology, tree)
    root = clocks.each[tree.root]
    return Crystals(
        clocks=clocks,
        counters=tuple(
            AlignedCounter(root=root, error_counts=error) for error in errors.tolist()
        ),
        root=root,
        bring_up_epochs=epochs,
    )

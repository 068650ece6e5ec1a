"""Putting a machine together from its numbers, its wiring and a seed."""

import numpy as np

from chip.hac import AlignedCounter
from fabric.clocks.crystals import Clocks, Crystals
from fabric.clocks.hac_tracking import settled_errors
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
    """Return the chips' clocks with counters that follow the root's.

    Counters are off by what their exchanges with each other have left when the program
    may start (`fabric.clocks.hac_tracking`); the crystals are taken as they are at
    first, since exchanges take milliseconds. Clocks without drift, and links without
    jitter, have nothing to be wrong about; neither have chips that the tree leaves out.

    Raises
    ------
    ScheduleError
        If the counters do not settle within what the machine allows.
    """
    errors = np.zeros(len(tree.parent), dtype=np.int64)
    if machine.drifts or machine.link.jitter_cycles > 0:
        errors = settled_errors(
            machine, topology, tree, clocks=clocks.at_first, draws=draws
        )
    root = clocks.each[tree.root]
    return Crystals(
        clocks=clocks,
        counters=tuple(
            AlignedCounter(root=root, error_counts=error) for error in errors.tolist()
        ),
        root=root,
    )

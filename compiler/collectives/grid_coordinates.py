"""Grid coordinates: members of a group as a regular grid of racks, nodes and slots."""

import numpy as np

from specs.arrays import Ints
from topologies.topology import Topology


def grid_coordinates(topology: Topology, members: Ints) -> Ints | None:
    """Return each collective member's grid coordinates, shape ``(axes, members)``.

    Axes are racks, nodes and slots, or nodes and slots, without axes of size one.
    Return None if the members fill no such grid.

    Parameters
    ----------
    topology
        Positions of the chips.
    members
        Chips, shape ``(members,)``.
    """
    racks, nodes = topology.rack[members], topology.node[members]
    in_rack = nodes.copy()
    for rack in np.unique(racks):
        in_rack[racks == rack] -= nodes[racks == rack].min()
    slots = topology.slot[members]
    for candidate in ([racks, in_rack, slots], [nodes, slots]):
        axes = [np.unique(axis, return_inverse=True)[1] for axis in candidate]
        sizes = [int(axis.max()) + 1 for axis in axes]
        places = int(line_numbers(np.array(axes)).max()) + 1
        if int(np.prod(sizes)) == len(members) == places:
            return np.array(
                [axis for axis, size in zip(axes, sizes, strict=True) if size > 1]
            )
    return None


def line_numbers(axes: Ints) -> Ints:
    """Return the grid line of each collective member, shape ``(members,)``.

    That is the rank of its column among all distinct ones.

    >>> line_numbers(np.array([[0, 0, 1], [5, 7, 5]])).tolist()
    [0, 1, 2]
    """
    # Mixed-radix numbers sort in the order of the columns.
    number = np.zeros(axes.shape[1], dtype=np.int64)
    for axis in axes:
        number = number * (int(axis.max()) + 1) + axis
    return np.unique(number, return_inverse=True)[1]

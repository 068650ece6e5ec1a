"""The placement problem: a task, and the hops between the chips available for it."""

from typing import NamedTuple

import numpy as np

from sharding.parallelism.tensor_group import FeedForwardLayout
from sharding.weights.task import Task
from specs.arrays import Ints
from topologies.topology import Topology

# Wider groups that do not fill their nodes evenly exchange in rows of eight consecutive
# members, whose order must be kept.
_WIDEST_DIRECT = 24


class PlacementProblem(NamedTuple):
    """A task, and the chips available for it with their hops.

    Attributes
    ----------
    task, topology
        The task and the topology.
    chips
        Available chips, shape ``(places,)``; a place is an index into them.
    hops
        Hops between each two places, shape ``(places, places)``.
    """

    task: Task
    topology: Topology
    chips: Ints
    hops: Ints

    def keeps_order(self, group: Ints) -> bool:
        """Return whether the members of a group must keep their order.

        They must if exchanges depend on it: in rows of eight, in a 2D layout, and
        between parts of a group.
        """
        task = self.task
        if (
            task.expert > 1
            or task.attention
            or task.layout is not FeedForwardLayout.ONE_D
        ):
            return True
        node = self.topology.node[self.chips[group]]
        filled = np.unique(node, return_counts=True)[1]
        return len(group) > _WIDEST_DIRECT and bool((filled != filled[0]).any())

    def return_hops(self, last: Ints, first: Ints) -> Ints:
        """Return the most hops from `last` to each of its members and on to `first`.

        This is the path of the token return if that member leads; an encoder returns
        no token.
        """
        around: Ints = self.hops[np.ix_(last, last)].max(axis=1)
        if not self.task.model.structure.encoder:
            around = around + self.hops[np.ix_(last, first)].max(axis=1)
        return around

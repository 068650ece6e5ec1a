"""Which chips a plan takes, in which order: near ones for what talks much.

Three things are sought after each other, by what a token spends on them: groups whose
chips are few hops apart, an order of the groups in which each is next to the one before
and the last next to the first, and members that hand over on links of their own.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from sharding.parallelism.ranges import head_split
from sharding.parallelism.strategy import Strategy
from sharding.parallelism.tensor_group import FeedForwardLayout
from sharding.placement.default_placement import placed_chips
from sharding.placement.group_clustering import compact_groups, swapped, weights_of
from sharding.placement.partner_assignment import MemberPaths, partners
from sharding.placement.stage_order import nearest_order
from sharding.transformer.task import Task
from specs.arrays import Ints
from topologies.routing.breadth_first import hop_counts
from topologies.routing.minimal_paths import minimal_paths
from topologies.topology import Topology

# Beyond so many chips the table of all hops, and swaps in it, would take gigabytes.
_MOST_CHIPS = 2048
# Wider groups that do not fill their nodes evenly exchange in rows of eight members,
# one after the other, which must stay as they are.
_WIDEST_DIRECT = 24
# The longest way between two groups counts so much more than the mean one.
_LONGEST = 1000
# Groups next to each one whose members are paired to see how far they really are.
_NEAR = 16


def nearby(task: Task, strategy: Strategy, topology: Topology) -> Topology:
    """Return the wiring with its active chips in an order that suits a strategy.

    Parameters are those of `nearby_chips`. Chips that the strategy does not take come
    last, so that as many are active as before.
    """
    chips = nearby_chips(task, strategy, topology)
    idle = topology.active[~np.isin(topology.active, chips)]
    return replace(topology, active=np.concatenate([chips, idle]))


def nearby_chips(task: Task, strategy: Strategy, topology: Topology) -> Ints:
    """Return the chips of a plan, stage after stage, member after member.

    The same arguments give the same chips. Of more than 2,048 active chips the first
    ones are looked at; a strategy that takes more, or replicas, gets those of
    `placed_chips`.

    Parameters
    ----------
    task
        The job; its tensor width does not matter.
    strategy
        The split; no more chips than are active.
    topology
        The wiring, whose active chips may be taken.

    Returns
    -------
    NDArray
        Distinct active chips, shape ``(strategy.chips,)``.

    Examples
    --------
    A ring of four: neighbours form the groups, and hand over to neighbours.

    >>> from specs.machine import load_machine
    >>> from specs.model import load_model
    >>> from topologies.builders.torus_and_butterfly import torus_topology
    >>> task = Task(load_model("gpt2"), load_machine(), 2, 16, 1)
    >>> ring = torus_topology((4,), lanes=1, ports_per_chip=2)
    >>> nearby_chips(task, Strategy(tensor=2, pipeline=2), ring).tolist()
    [0, 1, 3, 2]
    """
    if strategy.data > 1 or strategy.chips > _MOST_CHIPS:
        return placed_chips(topology, strategy)[: strategy.chips]
    task = task.split_as(strategy)
    chips = topology.active[:_MOST_CHIPS].astype(np.int64)
    hops = hop_counts(topology.adjacency(), chips.tolist())[chips].astype(np.int64)
    wired = _Wired(task, topology, chips, hops)
    kind = _teams(task)
    groups = np.array(
        [_members(wired, group, kind) for group in _groups(wired, strategy)]
    )
    orders = [np.arange(strategy.pipeline), _order(wired, groups)]
    found = [_handed_over(wired, groups[order], kind) for order in orders]
    best = min(found, key=lambda each: each.cycles)
    return chips[best.groups.reshape(strategy.chips)]


class _Wired(NamedTuple):
    """A job on chips whose ways are known."""

    task: Task
    topology: Topology
    chips: Ints
    hops: Ints

    def keeps_places(self, group: Ints) -> bool:
        """Return whether each member of a group exchanges by its place in the group.

        That is so in rows of eight, on a grid, and in parts of a group.
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

    def hops_around(self, last: Ints, first: Ints) -> Ints:
        """Return the hops to each member of `last`, and from it back to all `first`."""
        around: Ints = self.hops[np.ix_(last, last)].max(axis=1)
        if not self.task.model.structure.encoder:
            around = around + self.hops[np.ix_(last, first)].max(axis=1)
        return around


class _HandedOver(NamedTuple):
    """Groups in order, and about what hand-overs and the way back take."""

    groups: Ints
    cycles: int


def _groups(wired: _Wired, strategy: Strategy) -> Ints:
    """Return the places of each group; groups of whole nodes are made of nodes."""
    width, stages = strategy.tensor, strategy.pipeline
    weight = weights_of(wired.hops)
    node = wired.topology.node[wired.chips]
    rack = wired.topology.rack[wired.chips]
    numbers, sizes = np.unique(node, return_counts=True)
    size = int(sizes.max())
    if size == 1 or width % size or int(sizes[sizes == size].sum()) < strategy.chips:
        return compact_groups(weight, (node, rack), tensor=width, pipeline=stages)
    places = np.array(
        [np.flatnonzero(node == number) for number in numbers[sizes == size]]
    )
    between = weight[places[:, None, :, None], places[None, :, None, :]].sum(
        axis=(2, 3)
    )
    np.fill_diagonal(between, 0)
    nodes = compact_groups(
        between, (rack[places[:, 0]],), tensor=width // size, pipeline=stages
    )
    return places[nodes].reshape(stages, width)


def _teams(task: Task) -> Ints:
    """Return the team of each member: those that share a key/value head, or all."""
    width = task.tensor
    if width <= task.model.kv_heads:
        return np.zeros(width, dtype=np.int64)
    return head_split(task.model.kv_heads, width).first


def _members(wired: _Wired, group: Ints, kind: Ints) -> Ints:
    """Return a group with its fullest nodes first, and its teams close together."""
    numbers, of_node, filled = np.unique(
        wired.topology.node[wired.chips[group]],
        return_inverse=True,
        return_counts=True,
    )
    group = group[np.lexsort((group, numbers[of_node], -filled[of_node]))]
    if kind[0] == kind[-1] or wired.keeps_places(group):
        return group
    team = swapped(weights_of(wired.hops[np.ix_(group, group)]), kind)
    return group[np.argsort(team, kind="stable")]


def _order(wired: _Wired, groups: Ints) -> Ints:
    """Return the order of the groups along which hand-overs hop least."""
    stages, width = groups.shape
    flat = groups.ravel()
    between = wired.hops[np.ix_(flat, flat)].reshape(stages, width, stages, width)
    between = between.transpose(0, 2, 1, 3)
    apart = _LONGEST * _longest_hops(between)
    apart += (100 * between.mean(axis=(2, 3))).astype(np.int64)
    if wired.task.model.structure.encoder:
        return nearest_order(apart, np.zeros_like(apart))
    # The last stage may send from any of its chips, to all of the first.
    back = _LONGEST * between.max(axis=3).min(axis=2)
    return nearest_order(apart, back)


def _longest_hops(between: Ints) -> Ints:
    """Return the longest way of a hand-over between each two groups, members paired.

    Parameters
    ----------
    between
        Hops between the chips of each two groups, shape
        ``(stages, stages, width, width)``.
    """
    # Someone is that far from all of the other group: it cannot be less.
    one_way = between.min(axis=3).max(axis=2)
    longest: Ints = np.maximum(one_way, one_way.T)
    if between.shape[2] == 1:
        return longest
    near = np.sort(longest, axis=1)[:, : _NEAR + 1].max(axis=1)
    one, other = np.nonzero(np.triu(longest <= np.maximum(near[:, None], near), 1))
    for a, b in zip(one.tolist(), other.tolist(), strict=True):
        pairs = linear_sum_assignment(weights_of(between[a, b]))
        longest[a, b] = longest[b, a] = between[a, b][pairs].max()
    return longest


def _handed_over(wired: _Wired, groups: Ints, kind: Ints) -> _HandedOver:
    """Return the groups with members in the order in which they take over."""
    stages, width = groups.shape
    link, hz = wired.task.machine.link, wired.task.machine.chip.clock_hz
    vectors = link.vectors(int(wired.task.shard_bytes().max()))
    line_cycles = link.vector_offset_cycles(vectors, hz)
    from_to = np.broadcast_arrays(groups[:-1, :, None], groups[1:, None, :])
    source, target = (wired.chips[ends.ravel()] for ends in from_to)
    path = minimal_paths(wired.topology, source, target)
    path = path.reshape(stages - 1, width, width, path.shape[1])
    groups = groups.copy()
    cycles = 0
    # Where each member of the stage before was when the paths were looked up.
    was = np.arange(width)
    for stage in range(1, stages):
        ways = MemberPaths(path[stage - 1][was], link.forward_cycles, line_cycles)
        before, here = groups[stage - 1], groups[stage]
        was = np.arange(width)
        if width > 1 and not wired.keeps_places(here):
            weight = weights_of(wired.hops[np.ix_(before, here)])
            was = partners(ways, weight, kind)
        if stage + 1 == stages:
            was = was[_led(wired, here[was], groups[0], kind)]
        groups[stage] = here[was]
        cycles += int(ways.arrivals(was[None]).max())
    if stages == 1:
        groups[0] = groups[0][_led(wired, groups[0], groups[0], kind)]
    around = wired.hops_around(groups[-1], groups[0])
    return _HandedOver(groups, cycles + link.forward_cycles * int(around[0]))


def _led(wired: _Wired, last: Ints, first: Ints, kind: Ints) -> Ints:
    """Return the members of the last stage, the one in front best placed to lead."""
    members = np.arange(len(last))
    around = wired.hops_around(last, first)
    if wired.keeps_places(last):
        return members
    alike = np.flatnonzero(kind == kind[0])
    leader = int(alike[around[alike].argmin()])
    members[[0, leader]] = leader, 0
    return members

"""Locality placement: neighbouring chips for members and stages that communicate much.

The search has three steps, in the order of the time that a token spends on them:

- tensor groups whose chips are few hops apart,
- an order of the groups in which successive stages, and the last and the first, are
  close,
- an assignment of members in which stage transfers do not share links.
"""

from dataclasses import replace

import numpy as np

from sharding.parallelism.ranges import head_split
from sharding.parallelism.strategy import Strategy
from sharding.placement.default_placement import placed_chips
from sharding.placement.group_clustering import (
    compact_groups,
    hop_weights,
    improved_by_swaps,
)
from sharding.placement.placement_problem import PlacementProblem
from sharding.placement.stage_order import nearest_order
from sharding.placement.transfer_assignment import assigned_members
from sharding.weights.task import Task
from specs.arrays import Ints
from topologies.routing.breadth_first import hop_counts
from topologies.topology import Topology

# The hop table of more chips, and swaps in it, would take gigabytes.
_MOST_CHIPS = 2048
# Weight of the longest path between two groups, where the mean path weighs 100.
_LONGEST = 1000
# Nearest groups of each group for which the longest path of paired members is computed.
_NEAR = 16


def nearby(task: Task, strategy: Strategy, topology: Topology) -> Topology:
    """Return the topology with its active chips in the order of a locality placement.

    Parameters are those of `nearby_chips`. Active chips that the strategy does not use
    come last.
    """
    chips = nearby_chips(task, strategy, topology)
    idle = topology.active[~np.isin(topology.active, chips)]
    return replace(topology, active=np.concatenate([chips, idle]))


def nearby_chips(task: Task, strategy: Strategy, topology: Topology) -> Ints:
    """Return the chips of a locality placement, stage after stage, member after member.

    The result is deterministic. Of more than 2,048 active chips, only the first ones
    are used. A strategy with more chips, or with replicas, has the chips of
    `placed_chips`.

    Parameters
    ----------
    task
        The task; its tensor width does not matter.
    strategy
        The strategy, with at most as many chips as are active.
    topology
        The topology whose active chips are available.

    Returns
    -------
    NDArray
        Distinct active chips, shape ``(strategy.chips,)``.

    Examples
    --------
    In a ring of four, neighbours form the groups and transfer to neighbours.

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
    problem = PlacementProblem(task, topology, chips, hops)
    kind = _kv_head_groups(task)
    groups = np.array(
        [_ordered_members(problem, group, kind) for group in _groups(problem, strategy)]
    )
    orders = [np.arange(strategy.pipeline), _stage_order(problem, groups)]
    candidates = [assigned_members(problem, groups[order], kind) for order in orders]
    best = min(candidates, key=lambda each: each.cycles)
    return chips[best.groups.reshape(strategy.chips)]


def _groups(problem: PlacementProblem, strategy: Strategy) -> Ints:
    """Return the places of each group, of whole nodes if its width allows."""
    width, stages = strategy.tensor, strategy.pipeline
    weight = hop_weights(problem.hops)
    node = problem.topology.node[problem.chips]
    rack = problem.topology.rack[problem.chips]
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


def _kv_head_groups(task: Task) -> Ints:
    """Return the KV-head group of each member, 0 for all if chips hold whole heads."""
    width = task.tensor
    if width <= task.model.kv_heads:
        return np.zeros(width, dtype=np.int64)
    return head_split(task.model.kv_heads, width).first


def _ordered_members(problem: PlacementProblem, group: Ints, kind: Ints) -> Ints:
    """Return a group with its fullest nodes first and its KV-head groups compact."""
    numbers, of_node, filled = np.unique(
        problem.topology.node[problem.chips[group]],
        return_inverse=True,
        return_counts=True,
    )
    group = group[np.lexsort((group, numbers[of_node], -filled[of_node]))]
    if kind[0] == kind[-1] or problem.keeps_order(group):
        return group
    label = improved_by_swaps(hop_weights(problem.hops[np.ix_(group, group)]), kind)
    return group[np.argsort(label, kind="stable")]


def _stage_order(problem: PlacementProblem, groups: Ints) -> Ints:
    """Return the order of the groups with the fewest hops of stage transfers."""
    stages, width = groups.shape
    flat = groups.ravel()
    between = problem.hops[np.ix_(flat, flat)].reshape(stages, width, stages, width)
    between = between.transpose(0, 2, 1, 3)
    distance = _LONGEST * _longest_hops(between)
    distance += (100 * between.mean(axis=(2, 3))).astype(np.int64)
    if problem.task.model.structure.encoder:
        return nearest_order(distance, np.zeros_like(distance))
    # The last stage may return the token from any of its chips, to all of the first.
    token_return = _LONGEST * between.max(axis=3).min(axis=2)
    return nearest_order(distance, token_return)


def _longest_hops(between: Ints) -> Ints:
    """Return the most hops of a stage transfer between each two groups.

    For groups that are far apart it is a lower bound: no assignment of members has a
    shorter longest path.

    Parameters
    ----------
    between
        Hops between the chips of each two groups, shape
        ``(stages, stages, width, width)``.
    """
    # An eighth of the start of a command, and only a placement needs it.
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415

    # Some member is that far from all of the other group.
    one_way = between.min(axis=3).max(axis=2)
    longest: Ints = np.maximum(one_way, one_way.T)
    if between.shape[2] == 1:
        return longest
    near = np.sort(longest, axis=1)[:, : _NEAR + 1].max(axis=1)
    one, other = np.nonzero(np.triu(longest <= np.maximum(near[:, None], near), 1))
    for a, b in zip(one.tolist(), other.tolist(), strict=True):
        pairs = linear_sum_assignment(hop_weights(between[a, b]))
        longest[a, b] = longest[b, a] = between[a, b][pairs].max()
    return longest

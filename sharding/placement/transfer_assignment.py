"""Assignment of members to the stage transfers and the token return of a pipeline."""

from typing import NamedTuple

import numpy as np

from sharding.placement.group_clustering import hop_weights
from sharding.placement.partner_assignment import MemberPaths, partners
from sharding.placement.placement_problem import PlacementProblem
from specs.arrays import Ints
from topologies.routing.minimal_paths import minimal_paths


class TransferAssignment(NamedTuple):
    """Ordered groups, with the approximate cycles of stage transfers and token return.

    Attributes
    ----------
    groups
        Place of each member of each stage, shape ``(stages, width)``.
    cycles
        Cycles of all stage transfers and of the token return.
    """

    groups: Ints
    cycles: int


def assigned_members(
    problem: PlacementProblem, groups: Ints, kind: Ints
) -> TransferAssignment:
    """Return the placed groups, members in the order of their stage-transfer partners.

    Parameters
    ----------
    problem
        The placement problem.
    groups
        Place of each member of each stage, shape ``(stages, width)``.
    kind
        KV-head group of each member, shape ``(width,)``. Members of one group, and
        groups of one size, may change places.
    """
    stages, width = groups.shape
    machine = problem.task.machine
    vectors = machine.link.vectors(int(problem.task.shard_bytes().max()))
    line_cycles = machine.line.offset_cycles(vectors)
    forward_cycles = machine.link.forward_cycles
    from_to = np.broadcast_arrays(groups[:-1, :, None], groups[1:, None, :])
    source, target = (problem.chips[ends.ravel()] for ends in from_to)
    path = minimal_paths(problem.topology, source, target)
    path = path.reshape(stages - 1, width, width, path.shape[1])
    groups = groups.copy()
    cycles = 0
    # Row in `path` of each member of the stage before: the paths are those of the
    # groups before their members were ordered.
    chosen = np.arange(width)
    for stage in range(1, stages):
        paths = MemberPaths(path[stage - 1][chosen], forward_cycles, line_cycles)
        before, here = groups[stage - 1], groups[stage]
        chosen = np.arange(width)
        if width > 1 and not problem.keeps_order(here):
            weight = hop_weights(problem.hops[np.ix_(before, here)])
            chosen = partners(paths, weight, kind)
        if stage + 1 == stages:
            chosen = chosen[_leader_first(problem, here[chosen], groups[0], kind)]
        groups[stage] = here[chosen]
        cycles += int(paths.arrivals(chosen[None]).max())
    if stages == 1:
        groups[0] = groups[0][_leader_first(problem, groups[0], groups[0], kind)]
    around = problem.return_hops(groups[-1], groups[0])
    return TransferAssignment(groups, cycles + forward_cycles * int(around[0]))


def _leader_first(
    problem: PlacementProblem, last: Ints, first: Ints, kind: Ints
) -> Ints:
    """Return the members of the last stage, with the best leader swapped to the front.

    The leader gathers the candidates and returns the token.
    """
    members = np.arange(len(last))
    around = problem.return_hops(last, first)
    if problem.keeps_order(last):
        return members
    alike = np.flatnonzero(kind == kind[0])
    leader = int(alike[around[alike].argmin()])
    members[[0, leader]] = leader, 0
    return members

"""Flat algorithms, which ignore the positions of chips: one-shot, two-step, ring."""

import numpy as np

from compiler.collectives.stages import Algorithm, Collective, CollectiveStage, stage
from specs.arrays import Ints


def shares(vectors: int, members: int) -> Ints:
    """Return the vectors of each share in a collective, equal to within one vector.

    >>> shares(10, 4).tolist()
    [2, 3, 2, 3]
    """
    edges = np.arange(members + 1, dtype=np.int64) * vectors // members
    return np.diff(edges)


def direct_messages(kind: Collective, algorithm: Algorithm, members: int) -> int:
    """Return the messages of a flat collective algorithm."""
    pairs = members * (members - 1)
    if kind is Collective.POINT_TO_POINT:
        return 1
    if kind is Collective.BROADCAST:
        return members - 1 if algorithm is Algorithm.ONE_SHOT else pairs
    twice = kind is Collective.ALL_REDUCE and algorithm is not Algorithm.ONE_SHOT
    return 2 * pairs if twice else pairs


def direct_stages(
    kind: Collective, algorithm: Algorithm, chips: Ints, vectors: int
) -> list[CollectiveStage] | None:
    """Return the stages of a flat collective algorithm, None if it does not apply.

    Parameters
    ----------
    kind, algorithm
        Collective, and one-shot, two-step or ring.
    chips
        Members in order, shape ``(members,)``. The first is the root of a broadcast;
        a point-to-point message goes from the first to the second.
    vectors
        Vectors of the whole tensor. In a reduce-scatter, all-gather or all-to-all each
        member has a share of it.
    """
    if algorithm is Algorithm.ONE_SHOT:
        return _one_shot(kind, chips, vectors)
    if algorithm is Algorithm.TWO_STEP:
        return _two_step(kind, chips, vectors)
    return _ring(kind, chips, vectors)


def _pairs(chips: Ints) -> tuple[Ints, Ints, Ints]:
    """Return source, target and the place of the target of every ordered pair."""
    a, b = np.divmod(np.arange(len(chips) ** 2), len(chips))
    a, b = a[a != b], b[a != b]
    return chips[a], chips[b], b


def _scattered(chips: Ints, vectors: int) -> list[CollectiveStage]:
    """Return the stage of a direct reduce-scatter."""
    source, target, place = _pairs(chips)
    share = shares(vectors, len(chips))[place]
    return stage("direct", source, target, share, reduces=True)


def _one_shot(kind: Collective, chips: Ints, vectors: int) -> list[CollectiveStage]:
    """Return the single stage in which every member sends directly."""
    if kind is Collective.POINT_TO_POINT:
        return stage("direct", chips[:1], chips[1:2], vectors)
    if kind is Collective.BROADCAST:
        return stage("direct", chips[:1], chips[1:], vectors)
    if kind is Collective.ALL_REDUCE:
        source, target, _ = _pairs(chips)
        return stage("direct", source, target, vectors, reduces=True)
    scattered = _scattered(chips, vectors)
    if kind is Collective.REDUCE_SCATTER:
        return scattered
    if kind is Collective.ALL_GATHER:
        return [made.reversed() for made in scattered]
    return [made._replace(reduces=False) for made in scattered]


def _two_step(
    kind: Collective, chips: Ints, vectors: int
) -> list[CollectiveStage] | None:
    """Return the scatter and the all-gather of an all-reduce or broadcast."""
    scattered = _scattered(chips, vectors)
    gathered = [made.reversed() for made in scattered]
    if kind is Collective.ALL_REDUCE:
        return scattered + gathered
    if kind is Collective.BROADCAST:
        share = shares(vectors, len(chips))
        return stage("direct", chips[:1], chips[1:], share[1:]) + gathered
    return None


def _ring(kind: Collective, chips: Ints, vectors: int) -> list[CollectiveStage] | None:
    """Return the stages of a ring, in which members send to the next one."""
    members = len(chips)
    following = np.roll(chips, -1)
    # All steps are equal: shares are rounded up to the largest.
    share = -(-vectors // members)
    step = stage("ring", chips, following, share)
    adding = [made._replace(reduces=True) for made in step]
    rounds = members - 1
    if kind is Collective.ALL_REDUCE:
        return adding * rounds + step * rounds
    if kind is Collective.REDUCE_SCATTER:
        return adding * rounds
    if kind is Collective.ALL_GATHER:
        return step * rounds
    if kind is Collective.BROADCAST:
        # A pipeline: shares follow each other from the root to the last member.
        used = [
            np.arange(max(0, number - members + 1), min(number, rounds - 1) + 1)
            for number in range(members + rounds - 1)
        ]
        return [
            made
            for place in used
            for made in stage("ring", chips[place], following[place], share)
        ]
    if kind is Collective.ALL_TO_ALL:
        return [
            made
            for number in range(1, members)
            for made in stage("ring", chips, np.roll(chips, -number), share)
        ]
    return None

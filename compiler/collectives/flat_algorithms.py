"""Flat algorithms, which ignore the positions of chips, of collectives that merge none.

Payloads are in vectors. An all-gather and a reduce-scatter are in `exchange_phases`.
"""

import numpy as np

from compiler.collectives.phases import Phase, phase
from compiler.collectives.pieces import each_message
from specs.arrays import Ints
from workloads.collective import Collective


def shares(vectors: int, members: int) -> Ints:
    """Return the vectors of each share in a collective, equal to within one vector.

    >>> shares(10, 4).tolist()
    [2, 3, 2, 3]
    """
    edges = np.arange(members + 1, dtype=np.int64) * vectors // members
    return np.diff(edges)


def one_shot(kind: Collective, chips: Ints, vectors: int) -> tuple[Phase, ...]:
    """Return the single phase in which members send directly.

    Parameters
    ----------
    kind
        All-reduce, broadcast, all-to-all or point-to-point.
    chips
        Members in order, shape ``(members,)``. The first is the root of a broadcast;
        a point-to-point message goes from the first to the second.
    vectors
        Vectors of the whole tensor. In an all-to-all each member has a share of it.
    """
    members = len(chips)
    if kind in (Collective.POINT_TO_POINT, Collective.BROADCAST):
        whole = each_message(np.zeros(members - 1, dtype=np.int64), vectors)
        return tuple(phase(chips[:1], chips[1:], vectors, pieces=whole))
    a, b = np.divmod(np.arange(members**2), members)
    if kind is Collective.ALL_REDUCE:
        whole = each_message(0 * a, vectors)
        return tuple(phase(chips[a], chips[b], vectors, adds=True, pieces=whole))
    size = shares(vectors, members)
    edges = slice_edges(size)
    slices = each_message(edges[b], edges[b + 1], a)
    return tuple(phase(chips[a], chips[b], size[b], pieces=slices))


def slice_edges(size: Ints) -> Ints:
    """Return the edges of slices that follow each other, one more than slices."""
    return np.concatenate([[0], np.cumsum(size)])


def scattered(chips: Ints, vectors: int) -> tuple[Phase, ...]:
    """Return the phase in which a root sends every member its share of a tensor."""
    size = shares(vectors, len(chips))
    edges = slice_edges(size)
    slices = each_message(edges[1:-1], edges[2:])
    return tuple(phase(chips[:1], chips[1:], size[1:], pieces=slices))


def ring(kind: Collective, chips: Ints, vectors: int) -> tuple[Phase, ...]:
    """Return the phases of a broadcast or all-to-all, in which steps are all alike.

    In a broadcast members send to the next one; shares follow each other from the root
    to the last member. In an all-to-all they send to the next but ``n`` in step ``n``.
    """
    members = len(chips)
    following = np.roll(chips, -1)
    share = -(-vectors // members)
    place = np.arange(members)
    steps = []
    if kind is Collective.ALL_TO_ALL:
        for turn in range(1, members):
            begin = (place + turn) % members * share
            slices = each_message(begin, begin + share, place)
            steps.append(phase(chips, np.roll(chips, -turn), share, pieces=slices))
    else:
        rounds = members - 1
        for number in range(members + rounds - 1):
            low, high = max(0, number - members + 1), min(number, rounds - 1) + 1
            used = place[low:high]
            slices = each_message((number - used) * share, (number - used + 1) * share)
            steps.append(phase(chips[used], following[used], share, pieces=slices))
    return tuple(made for step in steps for made in step)

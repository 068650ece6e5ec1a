"""Flat algorithms, which ignore the positions of chips, of collectives that merge none.

Payloads are in vectors. An all-gather and a reduce-scatter are in `exchange_phases`.
"""

import numpy as np

from compiler.collectives.phases import Collective, Phase, phase
from specs.arrays import Ints


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
    if kind in (Collective.POINT_TO_POINT, Collective.BROADCAST):
        return tuple(phase(chips[:1], chips[1:], vectors))
    a, b = np.divmod(np.arange(len(chips) ** 2), len(chips))
    if kind is Collective.ALL_REDUCE:
        return tuple(phase(chips[a], chips[b], vectors, adds=True))
    return tuple(phase(chips[a], chips[b], shares(vectors, len(chips))[b]))


def scattered(chips: Ints, vectors: int) -> tuple[Phase, ...]:
    """Return the phase in which a root sends every member its share of a tensor."""
    return tuple(phase(chips[:1], chips[1:], shares(vectors, len(chips))[1:]))


def ring(kind: Collective, chips: Ints, vectors: int) -> tuple[Phase, ...]:
    """Return the phases of a broadcast or all-to-all, in which steps are all alike.

    In a broadcast members send to the next one; shares follow each other from the root
    to the last member. In an all-to-all they send to the next but ``n`` in step ``n``.
    """
    members = len(chips)
    following = np.roll(chips, -1)
    share = -(-vectors // members)
    if kind is Collective.ALL_TO_ALL:
        steps = [phase(chips, np.roll(chips, -n), share) for n in range(1, members)]
    else:
        rounds = members - 1
        used = [
            np.arange(max(0, number - members + 1), min(number, rounds - 1) + 1)
            for number in range(members + rounds - 1)
        ]
        steps = [phase(chips[place], following[place], share) for place in used]
    return tuple(made for step in steps for made in step)

"""Which member of the next stage takes over from which, so that no link holds up.

A token waits for the last shard of a hand-over. Members of one class may change places
without changing what their group pays for its exchanges.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from specs.arrays import Ints
from topologies.routing.minimal_paths import NO_LINK

# Up to so many members all swaps are tried, beyond it those of the latest one.
_MOST_ALL_SWAPPED = 16


class MemberPaths(NamedTuple):
    """The ways from each member of a stage to each of the next.

    Attributes
    ----------
    path
        Directed links in order, ``NO_LINK`` after the last, shape
        ``(members, members of the next, most hops)``.
    hop_cycles, line_cycles
        What a hop takes, and for how long a shard keeps a link.
    """

    path: NDArray[np.integer]
    hop_cycles: int
    line_cycles: int

    def arrivals(self, partners: Ints) -> Ints:
        """Return when each shard is there, if it is the last on every link it takes.

        Parameters
        ----------
        partners
            Choices of the partner of each member, shape ``(choices, members)``.

        Returns
        -------
        NDArray
            Cycles, same shape.
        """
        choices, members = partners.shape
        taken = self.path[np.arange(members), partners]
        links, number = np.unique(taken, return_inverse=True)
        number = number.reshape(taken.shape)
        on_way = taken != NO_LINK
        key = np.arange(choices)[:, None, None] * len(links) + number
        shards = np.bincount(key[on_way], minlength=choices * len(links))
        before = np.where(on_way, shards[key] - 1, 0).max(axis=2, initial=0)
        arrivals: Ints = (
            self.hop_cycles * on_way.sum(axis=2) + self.line_cycles * before
        )
        return arrivals


def partners(ways: MemberPaths, weight: NDArray[np.float64], kind: Ints) -> Ints:
    """Return the partner of each member in the next stage, shape ``(members,)``.

    Parameters
    ----------
    ways
        From each member to each of the next stage.
    weight
        What each way weighs by its hops alone, shape ``(members, members)``.
    kind
        Class of each member; classes of one size change places as wholes.
    """
    straight = np.arange(len(kind))
    chosen = _assigned(weight, kind)
    best = min(
        (straight, chosen), key=lambda choice: _merit(ways.arrivals(choice[None])[0])
    )
    return _improved(ways, best, kind)


def _assigned(weight: NDArray[np.float64], kind: Ints) -> Ints:
    """Return the assignment of least weight that keeps classes together."""
    classes = [np.flatnonzero(kind == number) for number in np.unique(kind)]
    partner = np.arange(len(kind))
    sizes = np.array([len(members) for members in classes])
    for size in np.unique(sizes).tolist():
        alike = [members for members in classes if len(members) == size]
        inner = [
            [linear_sum_assignment(weight[np.ix_(a, b)])[1] for b in alike]
            for a in alike
        ]
        total = [
            [weight[a, b[chosen]].sum() for b, chosen in zip(alike, row, strict=True)]
            for a, row in zip(alike, inner, strict=True)
        ]
        for a, b in zip(*linear_sum_assignment(np.array(total)), strict=True):
            partner[alike[a]] = alike[b][inner[a][b]]
    return partner


def _improved(ways: MemberPaths, partner: Ints, kind: Ints) -> Ints:
    """Return what swaps of partners within a class lead to, the best one each time."""
    members = np.arange(len(kind))
    arrivals = ways.arrivals(partner[None])[0]
    for _ in members:
        of_partner = kind[partner]
        may_swap = np.triu(of_partner[:, None] == of_partner, 1)
        if len(kind) > _MOST_ALL_SWAPPED:
            latest = int(arrivals.argmax())
            may_swap &= (members[:, None] == latest) | (members == latest)
        one, other = np.nonzero(may_swap)
        if not len(one):
            break
        choices = np.tile(partner, (len(one), 1))
        rows = np.arange(len(one))
        choices[rows, one], choices[rows, other] = partner[other], partner[one]
        found = ways.arrivals(choices)
        best = int(np.lexsort((found.sum(axis=1), found.max(axis=1)))[0])
        if _merit(found[best]) >= _merit(arrivals):
            break
        partner, arrivals = choices[best], found[best]
    return partner


def _merit(arrivals: Ints) -> tuple[int, int]:
    return int(arrivals.max()), int(arrivals.sum())

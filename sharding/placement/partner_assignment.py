"""Assignment of stage-transfer partners that minimises the arrival of the last shard.

A token waits for the last shard of a stage transfer. Members of one class, a KV-head
group, may change places without changing the cost of their group's exchanges.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specs.arrays import Ints
from topologies.routing.minimal_paths import NO_LINK

# Up to so many members all swaps are evaluated, beyond it only those of the latest.
_MOST_ALL_SWAPPED = 16


class MemberPaths(NamedTuple):
    """Paths from each member of a stage to each member of the next.

    Attributes
    ----------
    path
        Directed links in order, ``NO_LINK`` after the last, shape
        ``(members, members of the next, most hops)``.
    hop_cycles, line_cycles
        Cycles of a hop, and cycles for which a shard occupies a link.
    """

    path: NDArray[np.integer]
    hop_cycles: int
    line_cycles: int

    def arrivals(self, partners: Ints) -> Ints:
        """Return the arrival of each shard if it is the last one on each of its links.

        Parameters
        ----------
        partners
            Partner of each member in each choice, shape ``(choices, members)``.

        Returns
        -------
        NDArray
            Arrival in cycles, same shape.
        """
        choices, members = partners.shape
        taken = self.path[np.arange(members), partners]
        links, number = np.unique(taken, return_inverse=True)
        number = number.reshape(taken.shape)
        on_path = taken != NO_LINK
        key = np.arange(choices)[:, None, None] * len(links) + number
        shards = np.bincount(key[on_path], minlength=choices * len(links))
        before = np.where(on_path, shards[key] - 1, 0).max(axis=2, initial=0)
        arrivals: Ints = (
            self.hop_cycles * on_path.sum(axis=2) + self.line_cycles * before
        )
        return arrivals


def partners(paths: MemberPaths, weight: NDArray[np.float64], kind: Ints) -> Ints:
    """Return each placed member's partner in the next stage, shape ``(members,)``.

    Parameters
    ----------
    paths
        Paths from each member to each member of the next stage.
    weight
        Weight of each path by its hops alone, shape ``(members, members)``.
    kind
        Class of each member. Classes of one size may change places as wholes.
    """
    straight = np.arange(len(kind))
    chosen = _assigned(weight, kind)
    best = min(
        (straight, chosen), key=lambda choice: _merit(paths.arrivals(choice[None])[0])
    )
    return _improved_by_swaps(paths, best, kind)


def _assigned(weight: NDArray[np.float64], kind: Ints) -> Ints:
    """Return the assignment of least weight that maps classes to classes."""
    # An eighth of the start of a command, and only a placement needs it.
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415

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


def _improved_by_swaps(paths: MemberPaths, partner: Ints, kind: Ints) -> Ints:
    """Return the partners after swaps within classes, each the best improvement."""
    members = np.arange(len(kind))
    arrivals = paths.arrivals(partner[None])[0]
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
        candidates = paths.arrivals(choices)
        best = int(np.lexsort((candidates.sum(axis=1), candidates.max(axis=1)))[0])
        if _merit(candidates[best]) >= _merit(arrivals):
            break
        partner, arrivals = choices[best], candidates[best]
    return partner


def _merit(arrivals: Ints) -> tuple[int, int]:
    """Return the latest arrival and the sum of arrivals; smaller is better."""
    return int(arrivals.max()), int(arrivals.sum())

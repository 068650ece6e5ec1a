"""Reduction to owners: every chip's shares of a tensor are routed over gateways.

There are no relay hops: shares of a sum are merged wherever they meet, and cross the
scarcer links once.
"""

from collections.abc import Callable
from typing import final

import numpy as np
from numpy.typing import NDArray

from compiler.collectives.phases import Phase, phase
from compiler.collectives.share_pieces import SharePieces
from compiler.routing.gateways import Gateways
from specs.arrays import Ints

_ALL = slice(None)


def to_owners(
    gateways: Gateways,
    owners: Ints,
    size: Ints,
    *,
    merges: bool = True,
    members: Ints | None = None,
) -> list[Phase]:
    """Return a collective's phases that bring share `k` of every chip to ``owners[k]``.

    The path leads over the gateways: within the node to the one with the link to the
    next node, on to the node of the one with the link to the rack, and so on. It
    depends only on the position of a share and on its number, so that shares that have
    met stay together. Shares that stay within a node or rack wait for those from
    outside. Parallel links are used round robin.

    Parameters
    ----------
    gateways
        Positions of the members.
    owners, size
        Owner and vectors of each share, shape ``(shares,)``.
    merges
        Whether shares that meet are added; in an all-to-all they are not.
    members
        Members in order; those of `gateways` if None.
    """
    routing = ShareRouting(gateways, owners, size, merges=merges, members=members)
    for step in routing.steps():
        step()
    return routing.phases


@final
class ShareRouting:
    """Routing of shares to their owners: the position of each share, step by step.

    Parameters
    ----------
    gateways, owners, size, merges, members
        As for `to_owners`.

    Attributes
    ----------
    chip, share, weight
        Chip and number of each share, and how many shares that are not added it stands
        for, shape ``(rows,)``.
    phases
        Phases of all steps so far.
    """

    def __init__(
        self,
        gateways: Gateways,
        owners: Ints,
        size: Ints,
        *,
        merges: bool,
        members: Ints | None = None,
    ) -> None:
        self._at = gateways
        self._owners = owners
        self._size = size
        self._merges = merges
        self._in_last_rack = False
        self.phases: list[Phase] = []
        # One chip of each node represents all in what they send to other nodes.
        nodes, first, count = np.unique(
            gateways.node[gateways.chips], return_index=True, return_counts=True
        )
        self.chip = np.repeat(gateways.chips[first], len(owners))
        self.share = np.tile(np.arange(len(owners), dtype=np.int64), len(nodes))
        self.weight = np.repeat(np.ones_like(count) if merges else count, len(owners))
        order = gateways.chips if members is None else members
        self._pieces = SharePieces(gateways, order, size, merges=merges)

    def steps(self) -> list[Callable[[], None]]:
        """Return the steps of the routing, in order."""
        return [
            self._leave_members,
            self._cross_nodes,
            self._to_goals,
            self._cross_racks,
            self._to_gateways,
            self._cross_nodes,
            self._to_goals,
        ]

    def _leave_members(self) -> None:
        """Send the shares that leave their node to its gateways."""
        at = self._at
        goal = self._goals()
        leaves = at.node[goal] != at.node[self.chip]
        # Shares that stay are kept for each chip separately.
        staying = self.chip[~leaves], self.share[~leaves]
        self.chip, self.share = self.chip[leaves], self.share[leaves]
        self.weight = self.weight[leaves]
        self.chip = at.source[self._node_link(goal[leaves])]
        # Every chip of a node sends the same shares to a gateway.
        to_gateway = np.bincount(
            self.chip, weights=self._size[self.share], minlength=len(at.node)
        )
        link = at.local.links
        whole = to_gateway[at.target[link]].astype(np.int64)
        self.phases += phase(
            at.source[link],
            at.target[link],
            at.local.shared(whole),
            path=link[:, None],
            adds=self._merges,
            pieces=self._pieces.to_gateways(self.chip, self.share, whole),
        )
        members = at.chips
        of_node = at.node[members]
        order = np.argsort(of_node, kind="stable")
        count = np.bincount(of_node, minlength=int(at.node.max()) + 1)
        first = np.cumsum(count) - count
        mates = count[at.node[staying[0]]]
        row = np.repeat(np.arange(len(mates)), mates)
        place = np.arange(len(row)) - np.repeat(np.cumsum(mates) - mates, mates)
        stays = members[order[first[at.node[staying[0]]][row] + place]]
        self.chip = np.concatenate([self.chip, stays])
        self.share = np.concatenate([self.share, staying[1][row]])
        self.weight = np.concatenate([self.weight, np.ones_like(stays)])
        self._pieces.follow(self.chip, self.share, len(leaves) - len(staying[0]))

    def _goals(self) -> Ints:
        """Return the last chip of each share within its present rack."""
        at = self._at
        owner = self._owners[self.share]
        if self._in_last_rack:
            return owner
        leaves = at.rack[owner] != at.rack[self.chip]
        goal = self.chip.copy()
        goal[leaves] = at.source[self._rack_link(leaves)]
        return goal

    def _to_gateways(self) -> None:
        """Move the shares that leave a node to its chip with the link."""
        goal = self._goals()
        leaves = self._at.node[goal] != self._at.node[self.chip]
        gateway = self.chip.copy()
        gateway[leaves] = self._at.source[self._node_link(goal[leaves], leaves)]
        self._move(gateway, self._local_link(gateway))

    def _to_goals(self) -> None:
        """Move the shares that have reached the node of their goal to the goal."""
        goal = self._goals()
        self._move(goal, self._local_link(goal))

    def _cross_nodes(self) -> None:
        """Move shares over the links between the nodes of a rack."""
        goal = self._goals()
        leaves = self._at.node[goal] != self._at.node[self.chip]
        link = np.full(len(goal), -1, dtype=np.int64)
        link[leaves] = self._node_link(goal[leaves], leaves)
        following = self.chip.copy()
        following[leaves] = self._at.target[link[leaves]]
        self._move(following, link)

    def _cross_racks(self) -> None:
        """Move shares over the links between racks."""
        at = self._at
        leaves = at.rack[self._owners[self.share]] != at.rack[self.chip]
        link = np.full(len(leaves), -1, dtype=np.int64)
        link[leaves] = self._rack_link(leaves)
        following = self.chip.copy()
        following[leaves] = at.target[link[leaves]]
        self._move(following, link)
        self._in_last_rack = True

    def _move(self, following: Ints, link: Ints) -> None:
        """Move each share to its following chip, and merge those that meet."""
        moves = link >= 0
        at = self._at
        size = self._size[self.share[moves]] * self.weight[moves]
        total = np.bincount(link[moves], weights=size, minlength=len(at.source))
        used = np.flatnonzero(total)
        made = phase(
            at.source[used],
            at.target[used],
            total[used],
            path=used[:, None],
            adds=self._merges,
            pieces=self._pieces.moving(self.share, link, used),
        )
        if not moves.any():
            return
        key, first, row = np.unique(
            following * len(self._owners) + self.share,
            return_index=True,
            return_inverse=True,
        )
        self._pieces.merge(row)
        self.chip, self.share = following[first], self.share[first]
        arrived = np.bincount(row[moves], minlength=len(key)) > 0
        # Shares from several chips may be different ones.
        summed = np.bincount(
            self.chip[arrived],
            weights=self._size[self.share[arrived]],
            minlength=len(at.node),
        ).astype(np.int64)
        self.phases += [each._replace(summed=summed) for each in made]
        if self._merges:
            self.weight = np.ones_like(key)
        else:
            self.weight = np.bincount(row, weights=self.weight).astype(np.int64)

    def _node_link(self, goal: Ints, leaves: NDArray[np.bool_] | slice = _ALL) -> Ints:
        """Return the link from the node of each share to the node of its goal."""
        at = self._at
        return at.between_nodes.pick(
            at.node[self.chip[leaves]], at.node[goal], self.share[leaves]
        )

    def _rack_link(self, leaves: NDArray[np.bool_]) -> Ints:
        """Return the link from the rack of each share to the rack of its owner."""
        at = self._at
        owner = self._owners[self.share[leaves]]
        return at.between_racks.pick(
            at.rack[self.chip[leaves]], at.rack[owner], self.share[leaves]
        )

    def _local_link(self, goal: Ints) -> Ints:
        """Return the link from each share to a chip of its node, -1 if it is there."""
        at = self._at
        link = np.full(len(goal), -1, dtype=np.int64)
        away = (goal != self.chip) & (at.node[goal] == at.node[self.chip])
        link[away] = at.local.pick(self.chip[away], goal[away], self.share[away])
        return link

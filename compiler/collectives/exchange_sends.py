"""Exchange sends: which members send to which in each algorithm, for any shards.

* *one-shot*: every member sends its shard to every other.
* *hierarchical*: between racks, between the nodes of a rack and between the chips of a
  node, or between all nodes and then between the chips of a node. Data crosses the
  scarcer links once, in fewer and longer messages.
* *ring*: every member sends to the next one what it received last.

These are the sends of an all-gather; a reduce-scatter is one backwards.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from compiler.collectives.hierarchy import Hierarchy, hierarchies
from compiler.collectives.phases import Algorithm
from compiler.ir.messages import MessageTable
from sharding.operators.operators import Pattern
from specs.arrays import Ints
from topologies.topology import Topology

# Two chips are no ring.
_PAIR = 2
# Messages that are scheduled in some seconds and a gigabyte.
MOST_MESSAGES = 2_000_000


class Sends(NamedTuple):
    """Sends of one phase of an all-gather, between members of a tensor group.

    Attributes
    ----------
    source, target
        Members of the group, shape ``(messages,)``.
    path
        As in `MessageTable`.
    shard
        Member whose shard alone is sent, shape ``(messages,)``; None if a source sends
        all that it has received so far, and its own.
    needed
        Whether each message is part of the exchange, shape ``(messages,)``: not if no
        member that receives needs it.
    """

    source: Ints
    target: Ints
    path: Ints | None
    shard: Ints | None
    needed: NDArray[np.bool_]

    def messages(self, chips: Ints, payload_bytes: Ints) -> MessageTable:
        """Return the messages among the chips of a group, needed or not.

        Parameters
        ----------
        chips
            Members of the group, shape ``(width,)``.
        payload_bytes
            Size of each payload, shape ``(messages,)``.
        """
        ends = chips[self.source], chips[self.target]
        return MessageTable(*ends, payload_bytes, self.path)


class ExchangeSends(NamedTuple):
    """Sends of an algorithm of an exchange.

    Attributes
    ----------
    algorithm, form, steps, messages
        As in `compiler.collectives.phases.Candidate`.
    relays
        As in `compiler.collectives.phases.Phase`.
    sends
        Returns the sends of each phase, in the order of an all-gather.
    """

    algorithm: Algorithm
    form: str
    steps: int
    messages: int
    relays: bool
    sends: Callable[[], tuple[Sends, ...]]


def exchange_sends(
    topology: Topology,
    pattern: Pattern,
    teams: Ints,
    chips: Ints,
    *,
    only: NDArray[np.bool_] | None = None,
    most_messages: int = MOST_MESSAGES,
) -> list[ExchangeSends]:
    """Return the sends of the algorithms that may do an exchange fastest.

    Parameters
    ----------
    topology
        Positions of the chips.
    pattern, teams, only
        As in `sharding.operators.operators.Exchange`.
    chips
        Members of the tensor group, shape ``(width,)``.
    most_messages
        An algorithm with more messages applies only if it has the fewest.

    Returns
    -------
    list of ExchangeSends
        Those of the fewest phases first; one without phases if every group is a single
        chip.
    """
    groups = [np.flatnonzero(teams == team) for team in np.unique(teams)]
    groups = [group for group in groups if len(group) > 1]
    if not groups:
        return [ExchangeSends(Algorithm.ONE_SHOT, "", 0, 0, False, tuple)]
    if pattern is Pattern.TO_LEADER:
        count = sum(len(group) - 1 for group in groups)
        made = partial(_to_leaders, groups)
        return [ExchangeSends(Algorithm.ONE_SHOT, "", 1, count, False, made)]
    forms = [hierarchies(topology, chips[group]) for group in groups]
    found = []
    for name in dict.fromkeys(name for form in forms for name in form):
        # A group without this hierarchy takes the deepest that it has.
        deepest = [form.get(name, list(form.values())[-1]) for form in forms]
        found.append(
            ExchangeSends(
                Algorithm.HIERARCHICAL if name else Algorithm.ONE_SHOT,
                name,
                max(len(each.groups) for each in deepest),
                sum(each.messages for each in deepest),
                False,
                partial(_by_levels, groups, deepest, only),
            )
        )
    longest = max(map(len, groups))
    if longest > _PAIR:
        pairs = sum(len(group) * (len(group) - 1) for group in groups)
        in_rings = partial(_in_rings, groups, only)
        found.append(
            ExchangeSends(Algorithm.RING, "", longest - 1, pairs, True, in_rings)
        )
    fewest = min(each.messages for each in found)
    most = max(fewest, most_messages)
    return [each for each in found if each.messages <= most]


def payloads(sends: Sequence[Sends], shard_bytes: Ints) -> list[Ints]:
    """Return the bytes of all messages of each phase, needed or not.

    Parameters
    ----------
    sends
        Sends of an algorithm.
    shard_bytes
        Bytes of each member's shard, shape ``(width,)``.
    """
    held, sizes = shard_bytes, []
    for each in sends:
        if each.shard is not None:
            sizes.append(shard_bytes[each.shard])
            continue
        size = held[each.source]
        sizes.append(size)
        received = np.bincount(each.target, weights=size, minlength=len(held))
        held = held + received.astype(np.int64)
    return sizes


def _to_leaders(groups: list[Ints]) -> tuple[Sends, ...]:
    """Return the phase in which every member sends to the first of its group."""
    members = np.concatenate([group[1:] for group in groups])
    leaders = np.concatenate([np.full(len(g) - 1, g[0]) for g in groups])
    return (Sends(members, leaders, None, None, np.ones(len(members), dtype=bool)),)


def _by_levels(
    groups: list[Ints], forms: list[Hierarchy], only: NDArray[np.bool_] | None
) -> tuple[Sends, ...]:
    """Return the sends over the levels of each group's hierarchy."""
    steps = max(len(form.groups) for form in forms)
    rows: list[list[MessageTable]] = [[] for _ in range(steps)]
    for group, form in zip(groups, forms, strict=True):
        for step, (a, b, path) in enumerate(form.levels):
            rows[step].append(MessageTable(group[a], group[b], a, path))
    tables = [MessageTable.joined(step) for step in rows]
    every = [Sends(e.source, e.target, e.path, None, e.source >= 0) for e in tables]
    return _needed(every, only)


def _in_rings(groups: list[Ints], only: NDArray[np.bool_] | None) -> tuple[Sends, ...]:
    """Return the sends in which every member sends to the next one of its group."""
    every = []
    for step in range(max(map(len, groups)) - 1):
        turning = [group for group in groups if step < len(group) - 1]
        source = np.concatenate(turning)
        target = np.concatenate([np.roll(group, -1) for group in turning])
        shard = np.concatenate([np.roll(group, step) for group in turning])
        every.append(Sends(source, target, None, shard, source >= 0))
    return _needed(every, only)


def _needed(every: list[Sends], only: NDArray[np.bool_] | None) -> tuple[Sends, ...]:
    """Return the sends of an all-gather with those that some members need marked."""
    if only is None:
        return tuple(every)
    reached, kept = only.copy(), []
    for each in reversed(every):
        needed = reached[each.target]
        reached[each.source[needed]] = True
        kept.append(each._replace(needed=needed))
    return tuple(kept[::-1])

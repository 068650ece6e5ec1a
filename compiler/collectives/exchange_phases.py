"""A collective as phases of messages between chips.

Small groups exchange directly, every member with every other. Large groups that fill
their nodes evenly go dimension by dimension: between racks, between the nodes of a
rack, between the chips of a node, so that what crosses the scarcer links crosses once.
Large groups of another shape are folded into rows of eight.
"""

from typing import NamedTuple

import numpy as np

from compiler.ir.messages import MessageTable
from sharding.operators.operators import Exchange, Pattern
from specs.arrays import Ints
from topologies.cables import CHIPS_PER_NODE
from topologies.topology import Topology

# Up to a node's chips every member sends to every other. Beyond the larger size the
# number of messages, which grows with the square, surely outweighs the shorter path;
# between the two it depends on the links, and both are tried.
_LARGEST_DIRECT = 24


class Phase(NamedTuple):
    """Messages that start together, and what each chip adds up once all are there.

    Attributes
    ----------
    messages
        The messages, in order of source and target.
    reduced_bytes
        Bytes of the partial sums that chips add before the next phase, 0 if none.
    summands
        How many are added.
    """

    messages: MessageTable
    reduced_bytes: int = 0
    summands: int = 0


def exchange_candidates(
    topology: Topology, exchange: Exchange, chips: Ints
) -> list[tuple[Phase, ...]]:
    """Return the ways to carry out `exchange` among `chips` that may be the fastest.

    Parameters
    ----------
    topology
        Where the chips are.
    exchange
        What is exchanged in which teams; shards have the order of `chips`.
    chips
        Members of the group, shape ``(width,)``.

    Returns
    -------
    list of tuple of Phase
        At least one way; a way without phases if no chip has anyone to talk to.
    """
    teams = [
        np.flatnonzero(exchange.teams == team) for team in np.unique(exchange.teams)
    ]
    teams = [team for team in teams if len(team) > 1]
    if not teams:
        return [()]
    if exchange.pattern is Pattern.TO_LEADER:
        members = np.concatenate([team[1:] for team in teams])
        leaders = np.concatenate([np.full(len(team) - 1, team[0]) for team in teams])
        sizes = exchange.shard_bytes[members]
        return [(Phase(MessageTable(chips[members], chips[leaders], sizes)),)]
    largest = max(len(team) for team in teams)
    gather = exchange.pattern is Pattern.GATHER
    ways = []
    if largest <= _LARGEST_DIRECT:
        ways.append([_direct_phases(t, exchange, chips, gather) for t in teams])
    if largest > CHIPS_PER_NODE:
        ways.append(
            [_split_phases(topology, t, exchange, chips, gather) for t in teams]
        )
    joined = [
        tuple(
            _joined([steps[index] for steps in way if index < len(steps)])
            for index in range(max(len(steps) for steps in way))
        )
        for way in ways
    ]
    if exchange.only is None:
        return joined
    ends = chips[exchange.only]
    return [needed_phases(way, ends, gather=gather) for way in joined]


def fewest_messages(topology: Topology, chips: Ints) -> int:
    """Return the messages of one exchange among all of `chips`, whichever way is used.

    Teams of a group exchange fewer, but blocks with teams also exchange as a whole.
    """
    width = len(chips)
    if width <= CHIPS_PER_NODE:
        return width * (width - 1)
    axes = _dimensions(topology, chips)
    if axes is None:
        return width * (width // CHIPS_PER_NODE - 1 + CHIPS_PER_NODE - 1)
    return width * int((axes.max(axis=1)).sum())


def _direct_phases(
    team: Ints, exchange: Exchange, chips: Ints, gather: bool
) -> list[Phase]:
    one_axis = np.arange(len(team), dtype=np.int64)[None, :]
    return _grid_phases(
        chips[team], exchange.shard_bytes[team], one_axis, gather=gather
    )


def _split_phases(
    topology: Topology, team: Ints, exchange: Exchange, chips: Ints, gather: bool
) -> list[Phase]:
    members, shard_bytes = chips[team], exchange.shard_bytes[team]
    axes = _dimensions(topology, members)
    if axes is None:
        return _folded_phases(members, shard_bytes, gather=gather)
    return _grid_phases(members, shard_bytes, axes, gather=gather)


def _joined(phases: list[Phase]) -> Phase:
    return Phase(
        MessageTable.joined([phase.messages for phase in phases]),
        max(phase.reduced_bytes for phase in phases),
        max(phase.summands for phase in phases),
    )


def _dimensions(topology: Topology, members: Ints) -> Ints | None:
    """Return each member's coordinates in a regular grid, shape ``(axes, members)``.

    Racks, nodes and slots, or nodes and slots, without axes of size one. None if the
    members fill no such grid.
    """
    racks, nodes = topology.rack[members], topology.node[members]
    in_rack = nodes.copy()
    for rack in np.unique(racks):
        in_rack[racks == rack] -= nodes[racks == rack].min()
    slots = topology.slot[members]
    for candidate in ([racks, in_rack, slots], [nodes, slots]):
        axes = [np.unique(axis, return_inverse=True)[1] for axis in candidate]
        sizes = [int(axis.max()) + 1 for axis in axes]
        places = int(_line_numbers(np.array(axes)).max()) + 1
        if int(np.prod(sizes)) == len(members) == places:
            return np.array(
                [axis for axis, size in zip(axes, sizes, strict=True) if size > 1]
            )
    return None


def _grid_phases(
    chips: Ints, shard_bytes: Ints, axes: Ints, *, gather: bool
) -> list[Phase]:
    """Return the phases of one team, axis after axis.

    A gather goes from the outermost axis inwards, and what a member sends grows by what
    it has gathered; a scatter goes the other way and shrinks.
    """
    order = list(range(len(axes)))
    if not gather:
        order.reverse()
    phases = []
    for axis in order:
        # Members that differ in this axis only exchange with each other. What lies on
        # the axes outside is held in whole: gathered before, or scattered after.
        line = _line_numbers(np.delete(axes, axis, axis=0))
        held = _bundles(_line_numbers(axes[axis:]), shard_bytes)
        a, b = _pairs(line)
        messages = MessageTable(chips[a], chips[b], held[a if gather else b])
        more = not gather and axis != order[-1]
        summands = int(axes[axis].max()) + 1 if more else 0
        phases.append(Phase(messages, int(held.max()) if more else 0, summands))
    return phases


def _folded_phases(chips: Ints, shard_bytes: Ints, *, gather: bool) -> list[Phase]:
    """Return the phases of a team written in rows of eight, the last one shorter.

    Columns exchange single shards, rows whole columns. Where the last row lacks a
    column, the row above stands in for it.
    """
    count = len(chips)
    column = np.arange(count) % CHIPS_PER_NODE
    held = _bundles(column, shard_bytes)
    a, b = _pairs(column)
    columns = Phase(MessageTable(chips[a], chips[b], shard_bytes[a if gather else b]))
    member = np.repeat(np.arange(count), CHIPS_PER_NODE)
    other = member - member % CHIPS_PER_NODE + np.tile(np.arange(CHIPS_PER_NODE), count)
    partner = np.where(other < count, other, other - CHIPS_PER_NODE)
    member, partner = member[partner != member], partner[partner != member]
    source, target = (partner, member) if gather else (member, partner)
    rows = MessageTable(chips[source], chips[target], held[partner])
    if gather:
        return [columns, Phase(rows)]
    return [Phase(rows, int(held.max()), 2 * CHIPS_PER_NODE), columns]


def needed_phases(
    phases: tuple[Phase, ...], ends: Ints, *, gather: bool
) -> tuple[Phase, ...]:
    """Return the phases without messages that nobody needs.

    Parameters
    ----------
    phases
        An exchange among all.
    ends
        Chips that what is gathered is for, or that alone have something to scatter.
    gather
        Which of the two it is.
    """
    # Backwards from who gets something, or forwards from who has something.
    reached = ends
    kept = []
    for phase in reversed(phases) if gather else phases:
        sent = phase.messages
        near, far = (sent.target, sent.source) if gather else (sent.source, sent.target)
        needed = np.isin(near, reached)
        reached = np.union1d(reached, far[needed])
        messages = sent.chosen(needed)
        kept.append(
            phase._replace(messages=messages) if len(messages) else Phase(messages)
        )
    return tuple(reversed(kept) if gather else kept)


def _pairs(line: Ints) -> tuple[Ints, Ints]:
    """Return all ordered pairs of different members of a line, line after line."""
    order = np.argsort(line, kind="stable")
    sizes = np.bincount(line)
    # Shorter lines are padded with a member that there is none of.
    table = np.full((len(sizes), int(sizes.max())), -1, dtype=np.int64)
    first = np.cumsum(sizes) - sizes
    table[line[order], np.arange(len(line)) - first[line[order]]] = order
    a, b = np.broadcast_arrays(table[:, :, None], table[:, None, :])
    real = (a != b) & (a >= 0) & (b >= 0)
    return a[real], b[real]


def _bundles(numbers: Ints, shard_bytes: Ints) -> Ints:
    """Return for each member the bytes of all shards with its number."""
    return np.bincount(numbers, weights=shard_bytes).astype(np.int64)[numbers]


def _line_numbers(axes: Ints) -> Ints:
    """Return a number for each distinct column of coordinates."""
    # Numbers in a mixed radix sort as the columns do.
    number = np.zeros(axes.shape[1], dtype=np.int64)
    for axis in axes:
        number = number * (int(axis.max()) + 1) + axis
    return np.unique(number, return_inverse=True)[1]

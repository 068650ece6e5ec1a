"""Exchange phases: an all-gather or reduce-scatter as messages between chips.

* Small groups exchange directly: every member with every other.
* Large groups that fill their nodes evenly proceed by dimension: between racks, between
  the nodes of a rack, between the chips of a node. Data crosses the scarcer links once.
* Large groups of another shape are folded into rows of eight.
"""

from typing import NamedTuple

import numpy as np

from compiler.collectives.grid_coordinates import grid_coordinates, line_numbers
from compiler.ir.messages import MessageTable
from sharding.operators.operators import Exchange, Pattern
from specs.arrays import Ints
from topologies.cables import CHIPS_PER_NODE
from topologies.topology import Topology

# Groups up to the chips of a node exchange directly. Above this size the number of
# messages, which grows with the square, outweighs the shorter path. Between the two it
# depends on the links, and both algorithms are candidates.
_LARGEST_DIRECT = 24


class Phase(NamedTuple):
    """Phase: messages that start together, and the addition after they have arrived.

    Attributes
    ----------
    messages
        Messages in order of source and target.
    reduced_bytes
        Bytes of the partial sums that chips add before the next phase, 0 if none.
    summands
        Number of partial sums that are added.
    """

    messages: MessageTable
    reduced_bytes: int = 0
    summands: int = 0


def exchange_candidates(
    topology: Topology, exchange: Exchange, chips: Ints
) -> list[tuple[Phase, ...]]:
    """Return the phases of the collective algorithms that may do `exchange` fastest.

    Parameters
    ----------
    topology
        Positions of the chips.
    exchange
        Shards and groups that exchange; shards have the order of `chips`.
    chips
        Members of the tensor group, shape ``(width,)``.

    Returns
    -------
    list of tuple of Phase
        At least one algorithm; one without phases if every group is a single chip.
    """
    groups = [
        np.flatnonzero(exchange.teams == group) for group in np.unique(exchange.teams)
    ]
    groups = [group for group in groups if len(group) > 1]
    if not groups:
        return [()]
    if exchange.pattern is Pattern.TO_LEADER:
        members = np.concatenate([group[1:] for group in groups])
        leaders = np.concatenate([np.full(len(g) - 1, g[0]) for g in groups])
        sizes = exchange.shard_bytes[members]
        return [(Phase(MessageTable(chips[members], chips[leaders], sizes)),)]
    largest = max(len(group) for group in groups)
    all_gather = exchange.pattern is Pattern.GATHER
    algorithms = []
    if largest <= _LARGEST_DIRECT:
        algorithms.append(
            [_direct_phases(group, exchange, chips, all_gather) for group in groups]
        )
    if largest > CHIPS_PER_NODE:
        algorithms.append(
            [
                _split_phases(topology, group, exchange, chips, all_gather)
                for group in groups
            ]
        )
    joined = [
        tuple(
            _joined([steps[index] for steps in algorithm if index < len(steps)])
            for index in range(max(len(steps) for steps in algorithm))
        )
        for algorithm in algorithms
    ]
    if exchange.only is None:
        return joined
    ends = chips[exchange.only]
    return [_needed_phases(phases, ends, all_gather=all_gather) for phases in joined]


def fewest_messages(topology: Topology, chips: Ints) -> int:
    """Return the fewest messages of an all-gather or reduce-scatter among `chips`.

    KV-head groups exchange fewer messages, but blocks with such groups also have
    exchanges of the whole tensor group.
    """
    width = len(chips)
    if width <= CHIPS_PER_NODE:
        return width * (width - 1)
    axes = grid_coordinates(topology, chips)
    if axes is None:
        return width * (width // CHIPS_PER_NODE - 1 + CHIPS_PER_NODE - 1)
    return width * int((axes.max(axis=1)).sum())


def _direct_phases(
    group: Ints, exchange: Exchange, chips: Ints, all_gather: bool
) -> list[Phase]:
    """Return the phase of a group in which every member sends to every other."""
    one_axis = np.arange(len(group), dtype=np.int64)[None, :]
    return _grid_phases(
        chips[group], exchange.shard_bytes[group], one_axis, all_gather=all_gather
    )


def _split_phases(
    topology: Topology, group: Ints, exchange: Exchange, chips: Ints, all_gather: bool
) -> list[Phase]:
    """Return the phases of a group by dimension, or folded if it fills no grid."""
    members, shard_bytes = chips[group], exchange.shard_bytes[group]
    axes = grid_coordinates(topology, members)
    if axes is None:
        return _folded_phases(members, shard_bytes, all_gather=all_gather)
    return _grid_phases(members, shard_bytes, axes, all_gather=all_gather)


def _joined(phases: list[Phase]) -> Phase:
    """Return one phase with the messages of all groups."""
    return Phase(
        MessageTable.joined([phase.messages for phase in phases]),
        max(phase.reduced_bytes for phase in phases),
        max(phase.summands for phase in phases),
    )


def _grid_phases(
    chips: Ints, shard_bytes: Ints, axes: Ints, *, all_gather: bool
) -> list[Phase]:
    """Return the phases of one group, axis after axis.

    An all-gather proceeds from the outermost axis inwards, and messages grow by the
    shards gathered before. A reduce-scatter proceeds outwards, and messages shrink.
    """
    order = list(range(len(axes)))
    if not all_gather:
        order.reverse()
    phases = []
    for axis in order:
        # Members that differ only in this axis exchange with each other. The shards on
        # the outer axes are held in full: gathered before, or scattered after.
        line = line_numbers(np.delete(axes, axis, axis=0))
        held = _bundles(line_numbers(axes[axis:]), shard_bytes)
        a, b = _pairs(line)
        messages = MessageTable(chips[a], chips[b], held[a if all_gather else b])
        more = not all_gather and axis != order[-1]
        summands = int(axes[axis].max()) + 1 if more else 0
        phases.append(Phase(messages, int(held.max()) if more else 0, summands))
    return phases


def _folded_phases(chips: Ints, shard_bytes: Ints, *, all_gather: bool) -> list[Phase]:
    """Return the phases of a group folded into rows of eight, the last one shorter.

    Columns exchange single shards, rows whole columns. Where the last row lacks a
    column, the row above replaces it.
    """
    count = len(chips)
    column = np.arange(count) % CHIPS_PER_NODE
    held = _bundles(column, shard_bytes)
    a, b = _pairs(column)
    columns = Phase(
        MessageTable(chips[a], chips[b], shard_bytes[a if all_gather else b])
    )
    member = np.repeat(np.arange(count), CHIPS_PER_NODE)
    other = member - member % CHIPS_PER_NODE + np.tile(np.arange(CHIPS_PER_NODE), count)
    partner = np.where(other < count, other, other - CHIPS_PER_NODE)
    member, partner = member[partner != member], partner[partner != member]
    source, target = (partner, member) if all_gather else (member, partner)
    rows = MessageTable(chips[source], chips[target], held[partner])
    if all_gather:
        return [columns, Phase(rows)]
    return [Phase(rows, int(held.max()), 2 * CHIPS_PER_NODE), columns]


def _needed_phases(
    phases: tuple[Phase, ...], ends: Ints, *, all_gather: bool
) -> tuple[Phase, ...]:
    """Return the phases reduced to the messages that some chips need.

    Parameters
    ----------
    phases
        Phases of an exchange among all chips.
    ends
        Chips that need the gathered shards, or that alone have shards to scatter.
    all_gather
        Whether it is an all-gather; otherwise a reduce-scatter.
    """
    # Backwards from the receivers, or forwards from the holders of shards.
    reached = ends
    kept = []
    for phase in reversed(phases) if all_gather else phases:
        sent = phase.messages
        near, far = sent.source, sent.target
        if all_gather:
            near, far = far, near
        needed = np.isin(near, reached)
        reached = np.union1d(reached, far[needed])
        messages = sent.chosen(needed)
        kept.append(
            phase._replace(messages=messages) if len(messages) else Phase(messages)
        )
    return tuple(reversed(kept) if all_gather else kept)


def _pairs(line: Ints) -> tuple[Ints, Ints]:
    """Return all ordered pairs of different members of a line, line after line."""
    order = np.argsort(line, kind="stable")
    sizes = np.bincount(line)
    # Shorter lines are padded with -1, which is no member.
    table = np.full((len(sizes), int(sizes.max())), -1, dtype=np.int64)
    first = np.cumsum(sizes) - sizes
    table[line[order], np.arange(len(line)) - first[line[order]]] = order
    a, b = np.broadcast_arrays(table[:, :, None], table[:, None, :])
    real = (a != b) & (a >= 0) & (b >= 0)
    return a[real], b[real]


def _bundles(numbers: Ints, shard_bytes: Ints) -> Ints:
    """Return for each member the bytes of all shards with the same number."""
    return np.bincount(numbers, weights=shard_bytes).astype(np.int64)[numbers]

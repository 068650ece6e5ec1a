"""Exchange phases: the algorithms of an all-gather or reduce-scatter among any chips.

* *one-shot*: every member sends its shard to every other.
* *hierarchical*: between racks, between the nodes of a rack and between the chips of a
  node, or between all nodes and then between the chips of a node. Data crosses the
  scarcer links once, in fewer and longer messages.
* *ring*: every member sends to the next one what it received last.

A reduce-scatter is an all-gather backwards, with additions on the way.
"""

from collections.abc import Hashable
from functools import partial

import numpy as np

from compiler.collectives.hierarchy import Hierarchy, hierarchies
from compiler.collectives.phases import Algorithm, Candidate, Phase
from compiler.ir.messages import MessageTable
from sharding.operators.operators import Exchange, Pattern
from specs.arrays import Ints
from topologies.topology import Topology

# Two chips are no ring.
_PAIR = 2
# Messages that are scheduled in some seconds and a gigabyte.
MOST_MESSAGES = 2_000_000


def exchange_candidates(
    topology: Topology,
    exchange: Exchange,
    chips: Ints,
    *,
    most_messages: int = MOST_MESSAGES,
) -> list[Candidate]:
    """Return the collective algorithms that may do `exchange` fastest.

    Parameters
    ----------
    topology
        Positions of the chips.
    exchange
        Shards and groups that exchange; shards have the order of `chips`.
    chips
        Members of the tensor group, shape ``(width,)``.
    most_messages
        An algorithm with more messages applies only if it has the fewest.

    Returns
    -------
    list of Candidate
        Those of the fewest phases first; one without phases if every group is a single
        chip.
    """
    teams = exchange.teams
    groups = [np.flatnonzero(teams == team) for team in np.unique(teams)]
    groups = [group for group in groups if len(group) > 1]
    if not groups:
        return [Candidate(Algorithm.ONE_SHOT, "", 0, 0, tuple)]
    if exchange.pattern is Pattern.TO_LEADER:
        count = sum(len(group) - 1 for group in groups)
        made = partial(_to_leaders, exchange, chips, groups)
        return [Candidate(Algorithm.ONE_SHOT, "", 1, count, made)]
    forms = [hierarchies(topology, chips[group]) for group in groups]
    found = []
    for name in dict.fromkeys(name for form in forms for name in form):
        # A group without this hierarchy takes the deepest that it has.
        deepest = [form.get(name, list(form.values())[-1]) for form in forms]
        found.append(
            Candidate(
                Algorithm.HIERARCHICAL if name else Algorithm.ONE_SHOT,
                name,
                max(len(each.groups) for each in deepest),
                sum(each.messages for each in deepest),
                partial(_by_levels, exchange, chips, groups, deepest),
            )
        )
    longest = max(map(len, groups))
    if longest > _PAIR:
        pairs = sum(len(group) * (len(group) - 1) for group in groups)
        in_rings = partial(_in_rings, exchange, chips, groups)
        found.append(Candidate(Algorithm.RING, "", longest - 1, pairs, in_rings))
    fewest = min(each.messages for each in found)
    most = max(fewest, most_messages)
    return [each for each in found if each.messages <= most]


def exchange_form(exchange: Exchange) -> Hashable:
    """Return what exchange phases depend on, beside the chips and their positions.

    What is exchanged, and what runs beside it, is none of it.
    """
    only = None if exchange.only is None else exchange.only.tobytes()
    return (
        exchange.pattern,
        exchange.shard_bytes.tobytes(),
        exchange.teams.tobytes(),
        only,
    )


def fewest_messages(topology: Topology, chips: Ints) -> int:
    """Return the fewest messages of an all-gather or reduce-scatter among `chips`.

    KV-head groups exchange fewer messages, but blocks with such groups also have
    exchanges of the whole tensor group.
    """
    return min(each.messages for each in hierarchies(topology, chips).values())


def _to_leaders(
    exchange: Exchange, chips: Ints, groups: list[Ints]
) -> tuple[Phase, ...]:
    """Return the phase in which every member sends to the first of its group."""
    members = np.concatenate([group[1:] for group in groups])
    leaders = np.concatenate([np.full(len(g) - 1, g[0]) for g in groups])
    sizes = exchange.shard_bytes[members]
    return (Phase(MessageTable(chips[members], chips[leaders], sizes)),)


def _by_levels(
    exchange: Exchange, chips: Ints, groups: list[Ints], forms: list[Hierarchy]
) -> tuple[Phase, ...]:
    """Return the phases over the levels of each group's hierarchy.

    In an all-gather a member sends all that it has received so far, and its own shard.
    """
    steps = max(len(form.groups) for form in forms)
    rows: list[list[MessageTable]] = [[] for _ in range(steps)]
    for group, form in zip(groups, forms, strict=True):
        members = chips[group]
        held = exchange.shard_bytes[group]
        for step, (a, b, path) in enumerate(form.levels):
            rows[step].append(MessageTable(members[a], members[b], held[a], path))
            received = np.bincount(b, weights=held[a], minlength=len(group))
            held = held + received.astype(np.int64)
    return _phases(exchange, chips, rows)


def _in_rings(exchange: Exchange, chips: Ints, groups: list[Ints]) -> tuple[Phase, ...]:
    """Return the phases in which every member sends to the next one of its group."""
    steps = max(map(len, groups)) - 1
    rows: list[list[MessageTable]] = [[] for _ in range(steps)]
    for group in groups:
        members, following = chips[group], np.roll(chips[group], -1)
        for step in range(len(group) - 1):
            sizes = np.roll(exchange.shard_bytes[group], step)
            rows[step].append(MessageTable(members, following, sizes))
    return _phases(exchange, chips, rows, relays=True)


def _phases(
    exchange: Exchange,
    chips: Ints,
    rows: list[list[MessageTable]],
    *,
    relays: bool = False,
) -> tuple[Phase, ...]:
    """Return the phases of an exchange from the messages of its all-gather.

    Chips add partial sums between the phases of a reduce-scatter. After the last, the
    operator that needs the sum adds.
    """
    tables = [MessageTable.joined(step) for step in rows]
    if exchange.only is not None:
        tables = _needed(tables, chips[exchange.only])
    # Chips that have no part of what is exchanged send nothing.
    tables = [table.chosen(table.payload_bytes > 0) for table in tables]
    tables = [table for table in tables if len(table)]
    if exchange.pattern is Pattern.GATHER:
        return tuple(Phase(table, relays=relays) for table in tables)
    return tuple(
        Phase(table.turned(), adds=number > 0, relays=relays)
        for number, table in reversed(list(enumerate(tables)))
    )


def _needed(tables: list[MessageTable], ends: Ints) -> list[MessageTable]:
    """Return the messages of an all-gather that some chips need, from the last on."""
    reached = ends
    kept = []
    for table in reversed(tables):
        needed = np.isin(table.target, reached)
        reached = np.union1d(reached, table.source[needed])
        kept.append(table.chosen(needed))
    return kept[::-1]

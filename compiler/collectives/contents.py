"""Contents of a collective's messages: the shards and partial sums that each carries.

An all-gather passes on all that its source holds, or, in a ring, what it received last.
A reduce-scatter is an all-gather backwards: a message carries the shards that its
target is in charge of from then on, summed over all that its source has received
before.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from chip.dataflow import Function
from compiler.collectives.phases import Phase
from sharding.operators.operands import Operand, Operation
from sharding.operators.operators import Exchange, Pattern
from specs.arrays import Ints, row_order

# Ends of a message, as members of the group.
Hop = tuple[int, int]
# Shards that messages carry, and the parts that are summed in each.
Contents = list[tuple[int, tuple[int, ...]]]


class PhaseDataflow(NamedTuple):
    """Dataflow of a phase: what its messages carry, and what is added up after it.

    Attributes
    ----------
    carried
        Regions of each value; `member` is the row of the message.
    sums
        The partial sums that each member adds up, none if it adds none.
    """

    carried: tuple[Operand, ...]
    sums: tuple[Operation, ...]


def member_hops(phases: Sequence[Phase], chips: Ints) -> tuple[Ints, ...]:
    """Return the ends of a collective's messages as members, not as chips.

    Parameters
    ----------
    phases
        Phases of an exchange among `chips`.
    chips
        Members of the tensor group, shape ``(width,)``.

    Returns
    -------
    tuple of NDArray
        Source and target of each message of each phase, shape ``(2, messages)``.
    """
    order = np.argsort(chips)
    return tuple(
        order[
            np.searchsorted(
                chips[order], np.array([made.messages.source, made.messages.target])
            )
        ]
        for made in phases
    )


def exchange_dataflow(
    exchange: Exchange, phases: Sequence[Phase], ends: Sequence[Ints], width: int
) -> tuple[PhaseDataflow, ...]:
    """Return what the messages of each phase of an exchange carry.

    Parameters
    ----------
    exchange
        The exchange, with what its members have.
    phases
        Its phases, from `compiler.collectives.exchange_phases`.
    ends
        Their messages, from `member_hops`.
    width
        Members of the tensor group.
    """
    hops = [list(zip(*pair.tolist(), strict=True)) for pair in ends]
    relays = any(phase.relays for phase in phases)
    operands = exchange.carries()
    if exchange.pattern is not Pattern.SCATTER:
        return tuple(
            PhaseDataflow(tuple(_of_shards(each, rows) for each in operands), ())
            for rows in gathered_shards(hops, width, relays=relays)
        )
    backwards = [[(b, a) for a, b in phase] for phase in reversed(hops)]
    shards = gathered_shards(backwards, width, relays=relays)[::-1]
    parts: defaultdict[Hop, frozenset[int]] = _Parts()
    made = []
    for phase, sent, carried in zip(phases, hops, shards, strict=True):
        rows = [
            [(shard, tuple(sorted(parts[source, shard]))) for shard in each]
            for (source, _), each in zip(sent, carried, strict=True)
        ]
        regions = tuple(
            _of_sums(operand, rows, joined=exchange.joined) for operand in operands
        )
        beside = tuple(
            _of_shards(each, [(source,) for source, _ in sent])
            for each in exchange.attached()
        )
        arrived: defaultdict[Hop, list[frozenset[int]]] = defaultdict(list)
        for (source, target), each in zip(sent, carried, strict=True):
            for shard in each:
                arrived[target, shard].append(parts[source, shard])
        for place, new in arrived.items():
            parts[place] = parts[place].union(*new)
        counts = {
            (member, shard): len(new)
            for (member, shard), new in arrived.items()
            # What is made beside the exchange is added when all has arrived.
            if exchange.beside is None or member != shard
        }
        sums = _sums(exchange, operands, counts, parts) if phase.adds else ()
        made.append(PhaseDataflow((*regions, *beside), sums))
    return tuple(made)


class _Parts(defaultdict[Hop, frozenset[int]]):
    """Parts that each member has of the sum of each shard, at first its own."""

    def __missing__(self, place: Hop) -> frozenset[int]:
        return frozenset([place[0]])


def gathered_shards(
    hops: list[list[Hop]], width: int, *, relays: bool
) -> list[list[tuple[int, ...]]]:
    """Return the shards that each message of an all-gather carries, phase by phase.

    Parameters
    ----------
    hops
        Source and target of each message, as members.
    width
        Members, each with one shard.
    relays
        Whether a message carries only what its source received last.
    """
    held = [frozenset([member]) for member in range(width)]
    carried = []
    for phase in hops:
        carried.append([tuple(sorted(held[source])) for source, _ in phase])
        arrived: list[set[int]] = [set() for _ in range(width)]
        for source, target in phase:
            arrived[target] |= held[source]
        held = [
            frozenset(new) if relays and new else old | new
            for old, new in zip(held, arrived, strict=True)
        ]
    return carried


def _sums(
    exchange: Exchange,
    operands: tuple[Operand, ...],
    added: dict[Hop, int],
    parts: defaultdict[Hop, frozenset[int]],
) -> tuple[Operation, ...]:
    """Return the additions of what members have received of shards, in place.

    Parameters
    ----------
    exchange, operands
        The reduce-scatter, and what is exchanged.
    added
        Messages that each member has received of a shard.
    parts
        Parts of each shard that each member has from now on.
    """
    width = len(exchange.shard_bytes)
    made = []
    for operand in operands:
        own = operand.part_first < operand.part_last
        rows: list[Contents] = [[] for _ in range(width)]
        for (member, shard), sources in sorted(added.items()):
            # A single part is no sum.
            if sources + own[member] > 1:
                rows[member].append((shard, tuple(sorted(parts[member, shard]))))
        summed = _of_sums(operand, rows, joined=exchange.joined)
        made.append(
            Operation(
                f"{operand.value}.sum", Function.PARTIAL_SUM, (summed,), (summed,)
            )
        )
    return tuple(made)


def _of_shards(operand: Operand, rows: Iterable[tuple[int, ...]]) -> Operand:
    """Return the regions of the shards that each message carries."""
    message: list[int] = []
    picked: list[int] = []
    most = int(operand.member.max(initial=-1)) + 2
    first = np.searchsorted(operand.member, np.arange(most)).tolist()
    for number, shards in enumerate(rows):
        for shard in shards:
            if shard + 1 < len(first):
                own = range(first[shard], first[shard + 1])
                picked += own
                message += [number] * len(own)
    columns = [column[picked] for column in operand[2:6]]
    return _side_by_side(
        Operand(operand.value, np.array(message, dtype=np.int64), *columns)
    )


def _side_by_side(operand: Operand) -> Operand:
    """Return the regions with those joined whose columns lie side by side.

    Parts that were not added up stay arrays of their own.
    """
    value, owner, first, last, low, high, _ = operand
    order = row_order(owner, low, high, first)
    owner, first, last, low, high = (
        column[order] for column in (owner, first, last, low, high)
    )
    follows = (owner[1:] == owner[:-1]) & (first[1:] == last[:-1])
    follows &= (low[1:] == low[:-1]) & (high[1:] == high[:-1])
    begins = np.flatnonzero(np.concatenate([[True], ~follows])[: len(order)])
    ends = np.append(begins[1:], len(order))[: len(begins)] - 1
    return Operand(
        value, owner[begins], first[begins], last[ends], low[begins], high[begins]
    )


def _of_sums(operand: Operand, rows: Iterable[Contents], *, joined: bool) -> Operand:
    """Return the regions of sums: of each row's shards the parts that are summed.

    If `joined`, shards whose columns lie side by side and that have the same parts are
    one array.
    """
    edges = [column.tolist() for column in operand[2:6]]
    first, last, low, high = edges
    made: list[tuple[int, int, int, int, int, int]] = []
    for owner, contents in enumerate(rows):
        held = sorted(
            (first[shard], last[shard], parts)
            for shard, parts in contents
            if first[shard] < last[shard]
        )
        runs: list[list[tuple[int, int, tuple[int, ...]]]] = []
        for each in held:
            before = runs[-1][-1] if runs else (0, -1, ())
            if joined and (before[1], before[2]) == (each[0], each[2]):
                runs[-1].append(each)
            else:
                runs.append([each])
        for array, run in enumerate(runs):
            begin, stop, parts = run[0][0], run[-1][1], run[0][2]
            ranges = _ranges([(low[part], high[part]) for part in parts])
            made += [(owner, array, begin, stop, *each) for each in ranges]
    table = np.array(made, dtype=np.int64).reshape(-1, 6)
    owner_of, array_of, begins, ends, lows, highs = np.ascontiguousarray(table.T)
    return Operand(operand.value, owner_of, begins, ends, lows, highs, array_of)


def _ranges(parts: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return ranges with those joined that follow each other, without empty ones."""
    joined: list[tuple[int, int]] = []
    for low, high in sorted(part for part in parts if part[0] < part[1]):
        if joined and joined[-1][1] == low:
            joined[-1] = joined[-1][0], high
        else:
            joined.append((low, high))
    return joined

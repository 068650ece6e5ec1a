"""Exchange phases: the algorithms of an all-gather or reduce-scatter among any chips.

Who sends to whom is in `compiler.collectives.exchange_sends`. A reduce-scatter is an
all-gather backwards, with additions on the way.
"""

from collections.abc import Hashable
from functools import partial

from compiler.collectives.exchange_sends import (
    MOST_MESSAGES,
    ExchangeSends,
    exchange_sends,
    payloads,
)
from compiler.collectives.hierarchy import hierarchies
from compiler.collectives.phases import Candidate, Phase
from sharding.operators.operators import Exchange, Pattern
from specs.arrays import Ints
from topologies.topology import Topology


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
    made = exchange_sends(
        topology,
        exchange.pattern,
        exchange.teams,
        chips,
        only=exchange.only,
        most_messages=most_messages,
    )
    return [
        Candidate(
            each.algorithm,
            each.form,
            each.steps,
            each.messages,
            partial(phases_of, exchange, chips, each),
        )
        for each in made
    ]


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


def phases_of(
    exchange: Exchange, chips: Ints, made: ExchangeSends
) -> tuple[Phase, ...]:
    """Return the phases of an exchange from what its members send.

    Chips add partial sums between the phases of a reduce-scatter. After the last, the
    operator that needs the sum adds.

    Parameters
    ----------
    exchange, chips
        As for `exchange_candidates`.
    made
        Sends of an algorithm for it.
    """
    sends, phases = made.sends(), list[Phase]()
    for each, sizes in zip(sends, payloads(sends, exchange.shard_bytes), strict=True):
        table = each.messages(chips, sizes)
        if exchange.pattern is not Pattern.TO_LEADER:
            # Chips that have no part of what is exchanged send nothing.
            table = table.chosen(each.needed & (sizes > 0))
        if len(table):
            phases.append(Phase(table, relays=made.relays))
    if exchange.pattern is not Pattern.SCATTER:
        return tuple(phases)
    return tuple(
        Phase(each.messages.turned(), adds=number > 0, relays=each.relays)
        for number, each in reversed(list(enumerate(phases)))
    )

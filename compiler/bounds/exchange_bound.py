"""Exchange bound: the least cycles of exchanges on given chips, kept for equal ones.

Exchanges that differ in their sizes alone share what their members send, and the links
that it takes.
"""

from collections import OrderedDict
from typing import final

import numpy as np

from compiler.bounds.congestion_bound import CongestionBound
from compiler.bounds.routed_exchange import RoutedExchange
from compiler.collectives.exchange_selection import most_messages, token_exchanges
from compiler.collectives.exchange_sends import exchange_sends
from sharding.operators.operators import Exchange, Pattern
from sharding.weights.task import Task
from specs.arrays import Ints

# Messages whose links are kept; each takes some 150 bytes.
_MOST_KEPT = 500_000
# What tells exchanges apart: pattern, shard sizes, teams, and who takes part.
ExchangeKey = tuple[Pattern, bytes, bytes, bytes]


def exchange_key(exchange: Exchange) -> ExchangeKey:
    """Return the key under which the lower bound of an exchange is kept.

    Exchanges with equal keys take as long on the same chips.
    """
    only = exchange.only
    return (
        exchange.pattern,
        exchange.shard_bytes.tobytes(),
        exchange.teams.tobytes(),
        b"" if only is None else only.tobytes(),
    )


@final
class ExchangeBoundCache:
    """Cache of the least cycles of one job's exchanges, by key and chips.

    Parameters
    ----------
    links
        The least cycles of messages, with their topology.
    """

    def __init__(self, links: CongestionBound) -> None:
        self._links = links
        self._cycles: dict[tuple[ExchangeKey, bytes], int] = {}
        self._routed = OrderedDict[tuple[object, ...], list[RoutedExchange]]()
        self._kept = 0
        self._hops: dict[tuple[object, ...], int] = {}

    def cycles(self, task: Task, exchange: Exchange, chips: Ints) -> int:
        """Return the least cycles of the best algorithm for an exchange.

        Parameters
        ----------
        task
            The job; all jobs of one cache differ in nothing but the strategy.
        exchange
            What is exchanged; shards have the order of `chips`.
        chips
            Members of the group, shape ``(width,)``.
        """
        key = exchange_key(exchange), chips.tobytes()
        if key not in self._cycles:
            self._cycles[key] = self._least(task, exchange, chips)
        return self._cycles[key]

    def hop_cycles(self, exchange: Exchange, chips: Ints) -> int:
        """Return a lower bound on the cycles of any algorithm by hops alone.

        A shard goes from each member that has one to each that receives, over as many
        hops as they are apart. Parameters are those of `cycles`.
        """
        pattern, _, teams, only = exchange_key(exchange)
        sizes = exchange.shard_bytes
        has_shard = sizes > 0
        key = pattern, teams, only, has_shard.tobytes(), chips.tobytes()
        if key not in self._hops:
            self._hops[key] = self._most_hops(exchange, chips)
        hops = self._hops[key]
        if not hops:
            return 0
        shared = np.bincount(exchange.teams)[exchange.teams] > 1
        smallest = int(sizes[has_shard & shared].min())
        return self._links.hop_cycles(hops, smallest)

    def _most_hops(self, exchange: Exchange, chips: Ints) -> int:
        """Return the hops between the members of a team that are farthest apart."""
        apart = self._links.hops(chips)
        if apart is None:
            return 0
        teams = exchange.teams
        if teams.any() or exchange.pattern is Pattern.TO_LEADER:
            apart = apart * (teams[:, None] == teams)
        if exchange.pattern is Pattern.TO_LEADER:
            leaders = np.unique(teams, return_index=True)[1]
            apart = apart[:, leaders]
        elif exchange.only is not None:
            apart = apart[:, exchange.only]
        # Hops are as many in both directions.
        return int(apart[exchange.shard_bytes > 0].max(initial=0))

    def _least(self, task: Task, exchange: Exchange, chips: Ints) -> int:
        """Return the least cycles over all algorithms, messages and additions."""
        forms = self._forms(task, exchange, chips)
        # Without a shard of some members phases may be empty.
        every = exchange.shard_bytes.all()
        least = -1
        for each in sorted(forms, key=lambda form: form.least_cycles):
            if least < 0 or each.least_cycles < least or not (every or each.relays):
                cycles = each.cycles(exchange)
                least = cycles if least < 0 else min(least, cycles)
        return least

    def _forms(
        self, task: Task, exchange: Exchange, chips: Ints
    ) -> list[RoutedExchange]:
        """Return the algorithms of an exchange, with the links of those last used."""
        pattern, _, teams, only = exchange_key(exchange)
        key = pattern, teams, only, chips.tobytes()
        if key in self._routed:
            self._routed.move_to_end(key)
            return self._routed[key]
        sends = exchange_sends(
            self._links.topology,
            exchange.pattern,
            exchange.teams,
            chips,
            only=exchange.only,
            most_messages=most_messages(token_exchanges(task.model.layers)),
        )
        forms = [
            RoutedExchange(self._links, task.machine, each, exchange.pattern, chips)
            for each in sends
        ]
        self._routed[key] = forms
        self._kept += sum(each.messages for each in forms)
        while self._kept > _MOST_KEPT and len(self._routed) > 1:
            _, dropped = self._routed.popitem(last=False)
            self._kept -= sum(each.messages for each in dropped)
        return forms

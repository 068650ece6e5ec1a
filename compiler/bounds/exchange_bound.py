"""Exchange bound: the least cycles of exchanges on given chips, kept for equal ones."""

from typing import final

from compiler.bounds.congestion_bound import CongestionBound
from compiler.collectives.exchange_phases import exchange_candidates
from compiler.collectives.exchange_selection import most_messages, token_exchanges
from compiler.collectives.phases import adding_up
from compiler.cost.link_timing import hop_cycles
from sharding.operators.operators import Exchange, Pattern
from sharding.weights.task import Task
from specs.arrays import Ints

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

    def _least(self, task: Task, exchange: Exchange, chips: Ints) -> int:
        """Return the least cycles over all algorithms, messages and additions."""
        hop = hop_cycles(task.machine, 1)
        least = -1
        for each in exchange_candidates(
            self._links.topology,
            exchange,
            chips,
            most_messages=most_messages(token_exchanges(task.model.layers)),
        ):
            if least < 0 or each.steps * hop < least:
                cycles = sum(
                    self._links.cycles(phase.messages)
                    + int(adding_up(task.machine, phase).cycles.max(initial=0))
                    for phase in each.phases()
                )
                least = cycles if least < 0 else min(least, cycles)
        return least

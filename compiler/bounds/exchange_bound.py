"""What exchanges take at least on given chips, worked out once for all alike."""

from typing import final

from chip.operator_cycles import work_cycles
from chip.operator_work import adding
from compiler.bounds.congestion_bound import CongestionBound
from compiler.collectives.exchange_phases import exchange_candidates
from sharding.operators.operators import Exchange, Pattern
from sharding.transformer.task import Task
from specs.arrays import Ints
from specs.units import BITS_PER_BYTE

# What tells exchanges apart: pattern, shards, teams, and who takes part.
Alike = tuple[Pattern, bytes, bytes, bytes]


def alike(exchange: Exchange) -> Alike:
    """Return what exchanges have in common that take as long on the same chips."""
    only = exchange.only
    return (
        exchange.pattern,
        exchange.shard_bytes.tobytes(),
        exchange.teams.tobytes(),
        b"" if only is None else only.tobytes(),
    )


@final
class KnownExchanges:
    """The least cycles of exchanges of one job, by who exchanges what.

    Parameters
    ----------
    links
        What says how long messages take at least, and on which wiring.
    """

    def __init__(self, links: CongestionBound) -> None:
        self._links = links
        self._known: dict[tuple[Alike, bytes], int] = {}

    def cycles(self, task: Task, exchange: Exchange, chips: Ints) -> int:
        """Return the least cycles of the best way to carry out an exchange.

        Parameters
        ----------
        task
            The job; all that are asked for differ in nothing but the strategy.
        exchange
            What is exchanged; shards have the order of `chips`.
        chips
            Members of the group, shape ``(width,)``.
        """
        key = alike(exchange), chips.tobytes()
        if key not in self._known:
            self._known[key] = self._least(task, exchange, chips)
        return self._known[key]

    def _least(self, task: Task, exchange: Exchange, chips: Ints) -> int:
        bits = task.activation_format.bits
        return min(
            sum(
                self._links.cycles(phase.messages)
                + work_cycles(
                    task.machine.chip,
                    adding(
                        phase.reduced_bytes * BITS_PER_BYTE // bits,
                        bits,
                        phase.summands,
                    ),
                )
                for phase in way
            )
            for way in exchange_candidates(self._links.topology, exchange, chips)
        )

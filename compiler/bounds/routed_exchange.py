"""Routed exchange: an algorithm of an exchange on given chips, for any shard sizes."""

from functools import cached_property
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from compiler.bounds.congestion_bound import CongestionBound
from compiler.bounds.routed_messages import RoutedMessages
from compiler.collectives.exchange_phases import phases_of
from compiler.collectives.exchange_sends import ExchangeSends, Sends, payloads
from compiler.collectives.phases import adding_cycles, adding_up
from compiler.cost.link_timing import hop_cycles
from sharding.operators.operators import Exchange, Pattern
from specs.arrays import Ints
from specs.machine import MachineSpec


@final
class RoutedExchange:
    """An algorithm of an exchange with the links that its messages take.

    Parameters
    ----------
    links, machine
        The least cycles of messages, and the chips.
    made, pattern
        The algorithm, and the pattern of the exchange.
    chips
        Members of the group, shape ``(width,)``.
    """

    def __init__(
        self,
        links: CongestionBound,
        machine: MachineSpec,
        made: ExchangeSends,
        pattern: Pattern,
        chips: Ints,
    ) -> None:
        self._links = links
        self._machine = machine
        self._made = made
        self._pattern = pattern
        self._chips = chips

    @property
    def relays(self) -> bool:
        """Return whether it is a ring."""
        return self._made.relays

    @property
    def messages(self) -> int:
        """Return the number of its messages."""
        return self._made.messages

    @cached_property
    def _sends(self) -> tuple[Sends, ...]:
        """What members send in each phase of an all-gather."""
        return self._made.sends()

    @cached_property
    def _phases(self) -> list["_RoutedPhase"]:
        """Phases with their links, in the order of an all-gather."""
        turned = self._pattern is Pattern.SCATTER
        known: dict[tuple[bytes, ...], RoutedMessages | None] = {}
        phases: list[_RoutedPhase] = []
        for each in self._sends:
            source, target = each.source[each.needed], each.target[each.needed]
            # All phases of a ring take the same links.
            key = source.tobytes(), target.tobytes()
            if len(source) and (each.shard is None or key not in known):
                table = each.messages(self._chips, each.source).chosen(each.needed)
                known[key] = self._links.routed(table.turned() if turned else table)
            adds = turned and any(len(before.receiver) for before in phases)
            phases.append(_RoutedPhase(each.needed, known.get(key), source, adds))
        return phases

    @cached_property
    def least_cycles(self) -> int:
        """A lower bound on its cycles, if every member has a shard.

        A phase takes at least as long as the longest of its paths.
        """
        if self._made.relays:
            # The links of a ring, which are the same in all steps, say little more.
            return self._made.steps * hop_cycles(self._machine, 1)
        return sum(each.routed.longest_cycles for each in self._phases if each.routed)

    def cycles(self, exchange: Exchange) -> int:
        """Return a lower bound on its cycles, messages and additions.

        Parameters
        ----------
        exchange
            What is exchanged, which differs from others in its shards alone.
        """
        shards = exchange.shard_bytes
        if not shards.all() or any(each.is_striped for each in self._phases):
            return self._scheduled_cycles(exchange)
        return sum(
            self._phase_cycles(each, size[each.needed])
            for each, size in zip(
                self._phases, payloads(self._sends, shards), strict=True
            )
            if len(each.receiver)
        )

    def _phase_cycles(self, phase: "_RoutedPhase", payload_bytes: Ints) -> int:
        """Return the least cycles of a phase whose messages are all needed."""
        assert phase.routed is not None
        cycles = self._links.payload_cycles(phase.routed, payload_bytes)
        if not phase.adds:
            return cycles
        count = len(self._chips)
        received = np.bincount(phase.receiver, payload_bytes, count).astype(np.int64)
        held = np.zeros(count, dtype=np.int64)
        np.maximum.at(held, phase.receiver, payload_bytes)
        adds = held > 0
        return cycles + adding_cycles(self._machine, received[adds], held[adds])

    def _scheduled_cycles(self, exchange: Exchange) -> int:
        """Return the least cycles of all phases, whose messages depend on the shards.

        Some may be empty, or striped.
        """
        return sum(
            self._links.cycles(phase.messages)
            + int(adding_up(self._machine, phase).cycles.max(initial=0))
            for phase in phases_of(exchange, self._chips, self._made)
        )


class _RoutedPhase(NamedTuple):
    """Phase of an exchange with the links of its messages.

    Attributes
    ----------
    needed
        Which of its sends are part of the exchange, shape ``(sends,)``.
    routed
        Links of those; None if there are none, or they are striped.
    receiver
        Member that adds what it receives in a reduce-scatter, shape ``(messages,)``.
    adds
        Whether it does so after the phase.
    """

    needed: NDArray[np.bool_]
    routed: RoutedMessages | None
    receiver: Ints
    adds: bool

    @property
    def is_striped(self) -> bool:
        """Return whether its messages are striped."""
        return self.routed is None and len(self.receiver) > 0

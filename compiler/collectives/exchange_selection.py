"""The fastest way to carry out an exchange, and the additions that it takes."""

from typing import final

import numpy as np

from chip.operator_cycles import work_cycles
from chip.operator_work import adding
from compiler.collectives.exchange_phases import Phase, exchange_candidates
from compiler.ir.transfers import TransferModel
from sharding.operators.operators import Compute, Exchange, Unit
from specs.arrays import Ints
from specs.machine import MachineSpec
from specs.units import BITS_PER_BYTE
from topologies.topology import Topology


@final
class ExchangeSelector:
    """Finds the fastest way of an exchange between given chips.

    Parameters
    ----------
    topology, machine
        The wiring, and the chips that add up.
    transporter
        What schedules messages.
    width
        Chips that exchange.
    """

    def __init__(
        self,
        topology: Topology,
        machine: MachineSpec,
        transporter: TransferModel,
        *,
        width: int,
    ) -> None:
        self._topology = topology
        self._machine = machine
        self._transporter = transporter
        self._width = width
        self._added: dict[tuple[int, int], Compute] = {}

    def fastest(self, exchange: Exchange, chips: Ints) -> tuple[Phase, ...]:
        """Return the phases of the fastest way to carry out `exchange` on `chips`."""
        ways = exchange_candidates(self._topology, exchange, chips)
        return min(ways, key=self._way_cycles) if ways[1:] else ways[0]

    def longest_cycles(self, way: tuple[Phase, ...]) -> int:
        """Return the cycles of the longest phase on its way."""
        return max(
            (
                self._transporter.transport(phase.messages).duration_cycles
                for phase in way
            ),
            default=0,
        )

    def added_up(self, phase: Phase) -> Compute:
        """Return the adding up of what `phase` brought, where another follows."""
        key = (phase.reduced_bytes, phase.summands)
        if key not in self._added:
            bits = self._machine.formats.activations.bits
            elements = phase.reduced_bytes * BITS_PER_BYTE // bits
            work = adding(elements, bits, phase.summands)
            cycles = np.full(self._width, work_cycles(self._machine.chip, work))
            works = (work,) * self._width
            self._added[key] = Compute("add_up", Unit.VECTOR, works, cycles, cycles)
        return self._added[key]

    def _way_cycles(self, way: tuple[Phase, ...]) -> int:
        return sum(
            self._transporter.transport(phase.messages).duration_cycles
            + int(self.added_up(phase).cycles[0])
            for phase in way
        )
